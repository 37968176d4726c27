"""Opening a file with FFmpeg, safely, and saying in one line why it cannot be opened."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import av
import av.error

from animate.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path

    from av.container import InputContainer
    from av.video.codeccontext import VideoCodecContext
    from av.video.stream import VideoStream

# Only containers that hold their own frames: a playlist or a script that is named .mp4 could make FFmpeg open
# other files or addresses, and a plain text would be drawn as a terminal session.
CONTAINERS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,gif,apng,avi,mpegts,mpeg,mpegvideo,m4v,h264,hevc,ivf,obu,flv,"
    "live_flv,asf,ogg,nut,mxf,rm,dv,mjpeg,jpeg_pipe,png_pipe,webp_pipe,bmp_pipe,mp3,wav,flac,aac"
)
# Titles in Latin-1 must not stop a file from opening; from PyAV 19 on they do not, and the argument is gone.
_LENIENT: dict[str, Any] = {"metadata_errors": "replace"} if int(av.__version__.split(".")[0]) < 19 else {}
_OPTIONS = {"format_whitelist": CONTAINERS, "protocol_whitelist": "file"}
_HEAD = 12  # bytes; an MP4 or MOV carries "ftyp" at 4..8


def url(path: Path) -> str:
    """Address a local file for FFmpeg, whatever characters its name holds (``a:b.mp4``, ``100%d.mp4``)."""
    return f"file:{path}"


def require_file(path: Path, what: str = "video") -> None:
    """Raise ``UserError`` unless ``path`` is a file that is not empty; ``what`` names it in messages."""
    try:
        if path.is_dir():
            raise UserError(f"{path} is a folder; name a {what} file in it")
        if path.stat().st_size == 0:
            raise UserError(f"{path} is empty (0 bytes); it is not a {what}, copy or download it again")
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; check the name of the {what}") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None


def open_video(path: Path) -> InputContainer:
    """Open a media file for reading.

    Raises:
        UserError: the file is missing, empty, a folder, not readable, or not a video.

    """
    require_file(path)
    try:
        container: InputContainer = av.open(url(path), "r", container_options=_OPTIONS, **_LENIENT)
    except PermissionError:
        raise UserError(f"{path} cannot be read: no permission; change its access rights") from None
    except (av.error.FFmpegError, ValueError) as error:
        raise UserError(f"{path} {_why_not(path, error)}") from None
    return container


def _why_not(path: Path, error: Exception) -> str:
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if head[4:8] == b"ftyp":
        return "is an MP4 or MOV file without an index (moov): it was cut off; copy or record it again"
    if isinstance(error, ValueError):  # FFmpeg's "invalid data"
        return "is not a video that can be read (unknown format); convert it to MP4 first"
    return f"cannot be opened: {getattr(error, 'strerror', None) or error}"


def video_stream(container: InputContainer, path: Path) -> VideoStream:
    """Find the stream to show: the first one that is not a cover picture.

    Raises:
        UserError: there is none, or nothing here can decode it.

    """
    for stream in container.streams.video:
        if stream.disposition & av.stream.Disposition.attached_pic:
            continue
        if stream.codec_context is None:
            raise UserError(f"{path} is in a video codec that is not supported; convert it to H.264 first")
        return stream
    raise UserError(
        f"{path} has no video stream (only {_contents(container)}); choose a file with pictures in it"
    )


def _contents(container: InputContainer) -> str:
    kinds = sorted({stream.type for stream in container.streams})
    return ", ".join(kinds) or "nothing"


def decoder(stream: VideoStream) -> VideoCodecContext:
    """Prepare the codec context that decodes ``stream``.

    FFmpeg's own VP8 and VP9 decoders drop the alpha plane of WebM; libvpx's keep it.

    It runs in one thread: data workers are many, several threads decode frames ahead that nobody asked for,
    and they lose whole frames around a damaged one.
    """
    context = stream.codec_context
    if stream.metadata.get("alpha_mode") == "1" and context.name in ("vp8", "vp9"):
        plain = context
        context = av.CodecContext.create("libvpx-vp9" if plain.name == "vp9" else "libvpx", "r")
        context.extradata = plain.extradata
    context.thread_count = 1
    return context
