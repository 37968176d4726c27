"""Frames that training picks at random: an MP4 in which each of them is decoded by itself.

H.264 with key frames only, full colour resolution (yuv444p) and crf 8: on a clip of a dancer 46.6 dB from the
original and 33 kB a frame at 512 x 512, where a lossless codec takes 159 kB. Parts that were written with the
same settings are joined without decoding, so a long video can be written in pieces.
"""

from __future__ import annotations

from contextlib import contextmanager
from fractions import Fraction
from typing import TYPE_CHECKING, ClassVar, Self

import av
import av.error
import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace

from animate.errors import UserError
from animate.video import atomic
from animate.video.source import url

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path
    from types import TracebackType

    from av.packet import Packet
    from av.video.stream import VideoStream
    from numpy.typing import NDArray

_BT709 = 1


class IntraWriter:
    """Writes frames of one size at a constant rate; a context manager.

    The file appears when the block ends well; after an exception nothing is left.

    Args:
        path: the target, an mp4; an existing file is replaced.
        fps: frames per second.
        size: (height, width) of every frame.

    Raises:
        UserError: the place cannot be written, or the disk is full.

    """

    OPTIONS: ClassVar = {"crf": "8", "g": "1", "preset": "medium", "threads": "1"}

    def __init__(self, path: Path, fps: Fraction | float, size: tuple[int, int]) -> None:
        self._path = path
        self._fps = Fraction(fps).limit_denominator(1001)
        self._count = 0
        atomic.check_target(path, overwrite=True)
        self._place = atomic.destination(path)
        self._temporary = atomic.temporary_name(self._place)
        with _explained(path):
            self._container = av.open(url(self._temporary), "w", format="mp4")
        stream = self._container.add_stream("libx264", self._fps, options=self.OPTIONS)
        stream.height, stream.width = size
        stream.pix_fmt = "yuv444p"
        stream.time_base = stream.codec_context.time_base = 1 / self._fps
        context = stream.codec_context
        context.color_range = ColorRange.MPEG
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        self._stream = stream

    def write(self, image: NDArray[np.uint8]) -> None:
        """Add a frame, (H, W, 3) uint8 RGB."""
        frame = VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24").reformat(
            format="yuv444p", dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG
        )
        frame.time_base, frame.pts = 1 / self._fps, self._count
        self._count += 1
        with _explained(self._path):
            self._container.mux(self._stream.encode(frame))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            with _explained(self._path):
                if kind is None:
                    self._container.mux(self._stream.encode(None))
                self._container.close()
                if kind is None:
                    self._temporary.replace(self._place)
        finally:
            atomic.discard(self._temporary)


def join(parts: Iterable[Path], ranges: Iterable[tuple[int, int]], target: Path) -> int:
    """Put frames of several files one after the other without decoding them.

    Args:
        parts: files of :class:`IntraWriter` with one size and rate.
        ranges: of each part, the first frame that is taken and the one before which to stop.
        target: the new file, which appears when it is whole.

    Returns:
        how many frames it has.

    Raises:
        UserError: a part cannot be read, or the target not be written.

    """
    count = 0
    with (
        atomic.temporary_file(target) as temporary,
        _explained(target),
        av.open(url(temporary), "w", format="mp4", container_options={"movflags": "+faststart"}) as joined,
    ):
        stream: VideoStream | None = None
        for part, (start, stop) in zip(parts, ranges, strict=True):
            for packet, template in _packets(part, start, stop):
                stream = stream or joined.add_stream_from_template(template)
                base, rate = packet.time_base or Fraction(1), template.average_rate or Fraction(25)
                packet.pts = packet.dts = round(count / rate / base)
                packet.stream = stream
                joined.mux(packet)
                count += 1
    return count


def _packets(part: Path, start: int, stop: int) -> Iterator[tuple[Packet[VideoStream], VideoStream]]:
    with av.open(url(part)) as container:
        stream = container.streams.video[0]
        number = 0
        for packet in container.demux(stream):
            if packet.size:
                if start <= number < stop:
                    yield packet, stream
                number += 1


@contextmanager
def _explained(target: Path) -> Iterator[None]:
    """Turn what goes wrong while a file is written into one line."""
    try:
        yield
    except av.error.FFmpegError as error:
        raise UserError(f"{target} cannot be written: {error.strerror}") from error
    except OSError as error:
        raise atomic.explain(target, error) from error
