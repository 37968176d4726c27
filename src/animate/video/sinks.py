"""The kinds of file that ``VideoWriter`` fills: each takes frames with their times, in its own codec."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, ClassVar, NamedTuple, Protocol, cast

import av
import cv2
import numpy as np
from av.codec.context import ThreadType
from av.filter import Graph
from av.video.format import VideoFormat
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter

from animate.video.image import write_image
from animate.video.source import url

if TYPE_CHECKING:
    from pathlib import Path

    from av.video.stream import VideoStream
    from numpy.typing import NDArray

    from animate.video.audio import AudioExcerpt, AudioTrack

TICK = Fraction(1, 5_760_000)
"""Seconds: the clock that frames are encoded on. All usual clocks are multiples of it (1/24000, 1/30000,
1/1000, 1/12800, 1/15360, 1/90000), so their times stay exact."""
_GIF_TICK = Fraction(1, 100)
_GIF_SHORTEST = 2  # ticks; players show a frame with a shorter delay for a tenth of a second
_BT709 = 1
_AVX_512 = 13
"""``cv::CPU_AVX_512F``, which OpenCV does not name in Python."""


class Layout(NamedTuple):
    """What a file needs to know before its first frame."""

    size: tuple[int, int]
    """(height, width) of every frame."""
    fps: Fraction
    audio: AudioExcerpt | None


class Shown(NamedTuple):
    """A frame with its place in time."""

    image: NDArray[np.uint8]
    """(H,W,3) RGB."""
    time: Fraction
    """Seconds from the first frame."""
    duration: Fraction
    """Seconds."""


class Sink(Protocol):
    """Where frames go."""

    def write(self, shown: Shown) -> None:
        """Add a frame."""

    def finish(self) -> None:
        """Write what is still held back, complete the file and close it."""

    def close(self) -> None:
        """Let go of the file, whatever state it is in."""


class _CodecSink:
    """H.264 or VP9 with audio; BT.709 limited range, and tagged so."""

    format = ""
    codec = ""
    audio_codecs: tuple[str, ...] = ()
    audio_encoder = ""
    container_options: ClassVar[dict[str, str]] = {}
    codec_options: ClassVar[dict[str, str]] = {}
    even = False

    def __init__(self, path: Path, layout: Layout) -> None:
        self._container = av.open(
            url(path), "w", format=self.format, container_options=self.container_options
        )
        self._stream = cast(
            "VideoStream", self._container.add_stream(self.codec, rate=layout.fps, options=self.codec_options)
        )
        height, width = (side + side % 2 for side in layout.size) if self.even else layout.size
        self._stream.height, self._stream.width = height, width
        self._stream.pix_fmt = "yuv420p"
        self._stream.time_base = self._stream.codec_context.time_base = TICK
        # PyAV's default, slices of a frame, makes larger files with every thread more.
        self._stream.codec_context.thread_type = ThreadType.FRAME
        self._tag()
        self._reformatter = VideoReformatter()
        self._track: AudioTrack | None = None
        if layout.audio is not None:
            self._track = layout.audio.attach(self._container, self.audio_codecs, self.audio_encoder)

    def _tag(self) -> None:
        context = self._stream.codec_context
        context.color_range = ColorRange.MPEG
        context.colorspace = context.color_primaries = context.color_trc = _BT709

    def write(self, shown: Shown) -> None:
        """See ``Sink``."""
        frame = self._frame(shown.image)
        frame.time_base, frame.pts = TICK, round(shown.time / TICK)
        frame.duration = round((shown.time + shown.duration) / TICK) - frame.pts
        self._container.mux(self._stream.encode(frame))
        end = shown.time + shown.duration
        if self._track is not None:
            self._track.mux_until(end)

    def _frame(self, image: NDArray[np.uint8]) -> VideoFrame:
        height, width = self._stream.height, self._stream.width
        if image.shape[:2] != (height, width):
            missing = ((0, height - image.shape[0]), (0, width - image.shape[1]), (0, 0))
            image = np.pad(image, missing, mode="edge")
        return self._reformatter.reformat(
            VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24"),
            format="yuv420p",
            dst_colorspace=Colorspace.ITU709,
            dst_color_range=ColorRange.MPEG,
            interpolation=Interpolation.AREA | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INP,
            threads=1,
        )

    def finish(self) -> None:
        """See ``Sink``."""
        self._container.mux(self._stream.encode(None))
        self._container.close()

    def close(self) -> None:
        """See ``Sink``."""
        self._container.close()


def _repeatable() -> dict[str, str]:
    """Options with which x264 makes the same file of the same frames, always.

    Its macroblock tree reads memory that was never set where it uses AVX-512 and a width is no multiple of
    256 pixels; pixels differ then with what lay there. With AVX2, which such a machine has as well, the file
    is what it should be with AVX-512, and encoding takes 4 % longer.
    """
    return {"x264-params": "asm=AVX2,FMA3,BMI1,BMI2,LZCNT"} if cv2.checkHardwareSupport(_AVX_512) else {}


class Mp4Sink(_CodecSink):
    """MP4 with H.264, its index at the front so that it plays while it loads."""

    format = "mp4"
    codec = "libx264"
    audio_codecs = ("aac", "mp3", "ac3", "opus")
    audio_encoder = "aac"
    container_options: ClassVar = {"movflags": "+faststart"}
    # FFmpeg's scaler puts colour in the middle between pixels; untold, a decoder takes it half a pixel left.
    codec_options: ClassVar = {
        "crf": "18",
        "preset": "medium",
        "chroma_sample_location": "center",
        **_repeatable(),
    }
    even = True


class WebmSink(_CodecSink):
    """WebM with VP9. The container's clock has milliseconds."""

    format = "webm"
    codec = "libvpx-vp9"
    audio_codecs = ("opus", "vorbis")
    audio_encoder = "libopus"
    codec_options: ClassVar = {"crf": "24", "b": "0", "deadline": "good", "cpu-used": "4", "row-mt": "1"}


class GifSink:
    """GIF with a palette of its own for each frame, so that memory does not grow; no audio.

    The clock has hundredths of a second; a frame less than two of them after the one before is left out,
    because players show such frames five times too long.
    """

    def __init__(self, path: Path, layout: Layout) -> None:
        self._container = av.open(url(path), "w", format="gif", options={"loop": "0"})
        self._stream = self._container.add_stream("gif", rate=layout.fps)
        self._stream.height, self._stream.width = layout.size
        self._stream.pix_fmt = "pal8"
        self._stream.time_base = self._stream.codec_context.time_base = _GIF_TICK
        self._graph = _palette_graph(layout.size)
        self._before: int | None = None

    def write(self, shown: Shown) -> None:
        """See ``Sink``."""
        now = round(shown.time / _GIF_TICK)
        if self._before is not None and now - self._before < _GIF_SHORTEST:
            return
        self._before = now
        frame = VideoFrame.from_ndarray(np.ascontiguousarray(shown.image), format="rgb24")
        frame.time_base, frame.pts = _GIF_TICK, now
        self._graph.push(frame)
        paletted = self._graph.pull()
        assert isinstance(paletted, VideoFrame)
        paletted.time_base, paletted.pts = _GIF_TICK, now
        paletted.duration = max(_GIF_SHORTEST, round((shown.time + shown.duration) / _GIF_TICK) - now)
        self._container.mux(self._stream.encode(paletted))

    def finish(self) -> None:
        """See ``Sink``."""
        self._container.mux(self._stream.encode(None))
        self._container.close()

    def close(self) -> None:
        """See ``Sink``."""
        self._container.close()


def _palette_graph(size: tuple[int, int]) -> Graph:
    """FFmpeg's palettegen and paletteuse, one palette per frame."""
    graph = Graph()
    graph.threads = 1  # more do not pay for small pictures, and wait for each other on a busy machine
    source = graph.add_buffer(width=size[1], height=size[0], format=VideoFormat("rgb24"), time_base=_GIF_TICK)
    split = graph.add("split")
    generate = graph.add("palettegen", "stats_mode=single:reserve_transparent=0")
    use = graph.add("paletteuse", "new=1:dither=sierra2_4a")
    sink = graph.add("buffersink")
    source.link_to(split)
    split.link_to(use, 0, 0)
    split.link_to(generate, 1, 0)
    generate.link_to(use, 0, 1)
    use.link_to(sink)
    graph.configure()
    return graph


class FolderSink:
    """A folder of lossless pictures, ``000000.png`` and on; times and audio are not kept."""

    def __init__(self, path: Path, _layout: Layout) -> None:
        self._folder = path
        self._folder.mkdir()
        self._count = 0

    def write(self, shown: Shown) -> None:
        """See ``Sink``."""
        write_image(self._folder / f"{self._count:06d}.png", shown.image)
        self._count += 1

    def finish(self) -> None:
        """See ``Sink``."""

    def close(self) -> None:
        """See ``Sink``."""
