"""What a video holds, from its packets: nothing but the first frame is decoded."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import av.error
import numpy as np

from animate.errors import UserError
from animate.video import pixels
from animate.video.source import decoder, open_video, video_stream

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.codeccontext import VideoCodecContext
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream
    from numpy.typing import NDArray

# Each frame of these is drawn over the one before, whatever their packets are marked as.
_NOT_SEEKABLE = frozenset({"gif", "apng"})
_DEFAULT_FPS = Fraction(25)
_UNKNOWN = np.iinfo(np.int64).min  # FFmpeg's own mark for a time stamp that is not there


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """What ``probe`` found."""

    path: Path
    width: int
    height: int
    """Pixels, upright: after rotation metadata."""
    num_frames: int
    exact: bool
    """False: counted from packets, so a damaged file may give fewer frames."""
    fps: Fraction
    """Mean frame rate."""
    duration: float
    """Seconds from the first frame's start to the last frame's end."""
    times: NDArray[np.float64]
    """(N,) seconds, increasing: when each frame is shown. The first need not be 0; audio has the same
    clock."""
    keyframes: NDArray[np.int64]
    """Numbers of the frames that decoding can start at, increasing."""
    rotation: int
    """Degrees by which the stored picture is turned clockwise to stand upright: 0, 90, 180, 270."""
    has_audio: bool
    seekable: bool
    """False: frames are reached by decoding from the start (GIF; time stamps missing or repeated)."""


class _Packets(NamedTuple):
    """The packets of a video stream that are shown, in stored order; 17 bytes each."""

    pts: array[int]
    """In units of the time base; ``_UNKNOWN`` where there is none."""
    durations: array[int]
    keys: bytearray
    first: VideoFrame | None
    """The first frame that decodes; it alone tells the rotation and the cropped size."""


def probe(path: Path | str) -> VideoInfo:
    """Read the packets of a video once and say what it holds.

    Raises:
        UserError: the file is missing, empty, a folder, not readable, not a video, cut off before its index,
            without a video stream or without a frame.

    """
    path = Path(path)
    with open_video(path) as container:
        stream = video_stream(container, path)
        packets = _demux(container, stream)
        if not packets.pts or packets.first is None:
            raise UserError(f"{path} holds no video frame that can be decoded; copy or record it again")
        return _describe(path, container, stream, packets)


def codec_of(path: Path | str) -> str:
    """Name the codec of a video, like ``h264`` or ``ffv1``. Raises ``UserError`` as :func:`probe`."""
    with open_video(Path(path)) as container:
        return video_stream(container, Path(path)).codec_context.codec.canonical_name


def _demux(container: InputContainer, stream: VideoStream) -> _Packets:
    found = _Packets(array("q"), array("q"), bytearray(), None)
    context = decoder(stream)
    first: VideoFrame | None = None
    try:
        for packet in container.demux(stream):
            first = first or _decode_one(context, packet)
            # An edit list makes packets that are needed for decoding but not shown.
            if packet.size and not packet.is_discard:
                found.pts.append(_UNKNOWN if packet.pts is None else packet.pts)
                found.durations.append(packet.duration or 0)
                found.keys.append(packet.is_keyframe)
    except av.error.FFmpegError:
        pass  # the rest of the file is not there: what was read so far stands
    return found._replace(first=first)


def _decode_one(context: VideoCodecContext, packet: Packet[VideoStream]) -> VideoFrame | None:
    try:
        return next(iter(context.decode(packet if packet.size else None)), None)
    except av.error.FFmpegError:
        return None


def _describe(path: Path, container: InputContainer, stream: VideoStream, packets: _Packets) -> VideoInfo:
    assert packets.first is not None
    times, order, stamped = _times(np.asarray(packets.pts, np.int64), stream)
    height, width = pixels.upright_size(packets.first)
    keys = np.frombuffer(packets.keys, bool)[order]
    last = packets.durations[order[-1]] * float(stream.time_base or 0)
    nominal = _nominal_rate(stream)
    duration = float(times[-1] - times[0]) + (last or float(1 / nominal))
    return VideoInfo(
        path=path,
        width=width,
        height=height,
        num_frames=len(times),
        exact=False,
        fps=_mean_rate(len(times), duration, nominal),
        duration=duration,
        times=times,
        keyframes=np.flatnonzero(keys),
        rotation=pixels.rotation(pixels.display_matrix(packets.first)),
        has_audio=bool(container.streams.audio),
        seekable=stamped and container.format.name not in _NOT_SEEKABLE,
    )


def _times(
    pts: NDArray[np.int64], stream: VideoStream
) -> tuple[NDArray[np.float64], NDArray[np.int64], bool]:
    """Time stamps in order, the stored position of each, and whether each frame has a stamp of its own."""
    base = stream.time_base or Fraction(1)
    order = np.argsort(pts)
    shown = pts[order]
    if shown[0] != _UNKNOWN and np.all(shown[1:] > shown[:-1]):
        return shown.astype(np.float64) * base.numerator / base.denominator, order, True
    # Elementary streams and some AVI files have none: frames are then counted, at the nominal rate.
    fps = _nominal_rate(stream)
    count = np.arange(len(pts))
    return count / float(fps), count, False


def _nominal_rate(stream: VideoStream) -> Fraction:
    return stream.average_rate or stream.guessed_rate or _DEFAULT_FPS


def _mean_rate(count: int, duration: float, nominal: Fraction) -> Fraction:
    """Take the rate that the container states if the time stamps bear it out within 2 %, else theirs."""
    # A picture every half hour, as some cameras have it, has a rate too.
    measured = Fraction(count / duration).limit_denominator(1001) or Fraction(1, round(duration / count))
    return nominal if abs(measured / nominal - 1) < Fraction(2, 100) else measured
