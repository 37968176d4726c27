"""Frames out of a video: exactly the ones that are asked for, or all of them as a stream.

A frame that the decoder reports as damaged does not exist: ``read_frames`` raises for it, ``stream`` leaves
it out and says so in the log.
"""

from __future__ import annotations

import logging
import re
from contextlib import closing, suppress
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, cast

import av.error
import numpy as np

from animate.errors import UserError
from animate.video.image import PICTURE_SUFFIXES, read_image
from animate.video.pixels import Converter
from animate.video.probe import VideoInfo, probe
from animate.video.source import decoder, open_video, video_stream

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence, Set

    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream
    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

FOLDER_FPS = 25
"""Frames per second that a folder of pictures is taken to have."""


class FrameError(UserError):
    """Frames that were asked for are not in the file, or do not decode."""


class Frame(NamedTuple):
    """One frame of a stream."""

    image: NDArray[np.uint8]
    """(H,W,3) RGB, upright."""
    time: Fraction
    """Seconds, on the clock of the file (its first frame need not be at 0)."""


class _Reader:
    """One open video: decodes forward from any frame and tells each frame's number.

    Args:
        info: what ``probe`` said of the file.
        wanted: numbers of frames; of the others those are not decoded that no frame is built on. All without.

    """

    def __init__(self, info: VideoInfo, wanted: Set[int] | None = None) -> None:
        self._info, self._wanted = info, wanted
        # Half the shortest distance between frames: how exactly a time stamp has to fit.
        self._slack = float(np.diff(info.times).min()) / 2 if info.num_frames > 1 else float("inf")
        self._open()

    def _open(self) -> None:
        self._at_start = True
        self._container = open_video(self._info.path)
        self._stream: VideoStream = video_stream(self._container, self._info.path)
        self._decoder = decoder(self._stream)
        self._base = self._stream.time_base or Fraction(1)
        self._seconds = float(self._base)
        self._passed = 0

    def close(self) -> None:
        """Close the file."""
        self._container.close()

    def frames_from(self, number: int) -> Iterator[tuple[int, VideoFrame]]:
        """Numbers and frames, in the order they are shown, from ``number`` or from one before it on."""
        before = int(np.searchsorted(self._info.keyframes, number, side="right"))
        before = before if self._info.seekable else 0
        # Containers that seek by decoding time may land on the next key frame: then go one further back.
        for key in self._info.keyframes[max(before - 2, 0) : before][::-1]:
            if key == 0:
                break
            self._seek(int(key))
            frames = self._frames()
            first = next(frames, None)
            if first is not None and first[0] <= number:
                yield first
                yield from frames
                return
        if not self._at_start:
            self.close()
            self._open()
        yield from self._frames()

    def _seek(self, number: int) -> None:
        self._at_start = False
        with suppress(av.error.FFmpegError):  # the numbers of the frames tell in any case where it is
            offset = round(self._info.times[number] / self._base)
            self._container.seek(offset, stream=self._stream, backward=True)
        self._decoder.flush_buffers()

    def _frames(self) -> Iterator[tuple[int, VideoFrame]]:
        for frame in self._decoded():
            number = self._number(frame) if self._info.seekable else self._passed
            self._passed += 1
            if number is not None and number < self._info.num_frames and not frame.is_corrupt:
                yield number, frame

    def _decoded(self) -> Iterator[VideoFrame]:
        self._at_start = False
        # PyAV loses memory of a generator that is left to itself.
        with closing(cast("Generator[Packet[VideoStream]]", self._container.demux(self._stream))) as packets:
            while True:
                try:
                    packet = next(packets)
                    self._decoder.skip_frame = self._skipped_by(packet)
                    yield from self._decoder.decode(packet if packet.size else None)
                except (StopIteration, av.error.EOFError):
                    return
                except av.error.InvalidDataError:
                    self._passed += 1
                except av.error.FFmpegError:  # the file cannot be read any further
                    return

    def _skipped_by(self, packet: Packet[VideoStream]) -> Literal["DEFAULT", "NONREF"]:
        """Which frames the decoder passes over now: one that nobody wants and no other frame is built on."""
        if self._wanted is None or not self._info.seekable or not packet.size:
            return "DEFAULT"
        return "DEFAULT" if self._number(packet) in self._wanted else "NONREF"

    def _number(self, frame: VideoFrame | Packet[VideoStream]) -> int | None:
        if frame.pts is None:
            return None
        time = frame.pts * self._seconds
        number = int(np.searchsorted(self._info.times, time - self._slack))
        fits = number < self._info.num_frames and abs(self._info.times[number] - time) < self._slack
        return number if fits else None

    def time(self, frame: VideoFrame, number: int) -> Fraction:
        """Seconds at which a frame is shown, exactly where it has a time stamp of its own."""
        listed = float(self._info.times[number])
        stamped = None if frame.pts is None else frame.pts * self._base
        if stamped is not None and abs(float(stamped) - listed) < self._slack:
            return stamped
        return Fraction(listed).limit_denominator(1_000_000)


def read_frames(
    path: Path | str,
    indices: Sequence[int],
    info: VideoInfo | None = None,
    size: tuple[int, int] | None = None,
) -> NDArray[np.uint8]:
    """Decode exactly the frames asked for.

    Seeks to the key frame before each needed frame, decodes forward and stops at the last one needed of that
    stretch; a file that is not ``seekable`` is decoded from its start up to the last one needed.

    Args:
        path: a video.
        indices: frame numbers from 0, in any order, repeats allowed.
        info: what ``probe`` said of the file; read again without.
        size: (height, width) to resize to, by ``image.resize``.

    Returns:
        (T,H,W,3) uint8 RGB, upright, in the order of ``indices``.

    Raises:
        FrameError: some of the frames do not exist or do not decode; names them.
        UserError: as ``probe``.

    """
    path = Path(path)
    info = info or probe(path)
    absent = sorted({i for i in indices if not 0 <= i < info.num_frames})
    if absent:
        raise FrameError(
            f"{path} has frames 0 to {info.num_frames - 1}, not {_listed(absent)}; ask for others"
        )
    shape = size or (info.height, info.width)
    if not len(indices):
        return np.empty((0, *shape, 3), np.uint8)
    found = _read(info, sorted(set(indices)), shape)
    lost = sorted(set(indices) - found.keys())
    if lost:
        raise FrameError(f"{path}: frame {_listed(lost)} cannot be decoded; the file is damaged there")
    return np.stack([found[i] for i in indices])


def _listed(numbers: Sequence[int]) -> str:
    shown = ", ".join(str(number) for number in numbers[:8])
    return shown if len(numbers) <= 8 else f"{shown} and {len(numbers) - 8} more"


def _stretches(wanted: Sequence[int], info: VideoInfo) -> list[list[int]]:
    """Group increasing frame numbers: a new group where a key frame lies between it and the frame before."""
    if not info.seekable:
        return [list(wanted)]
    group = np.searchsorted(info.keyframes, wanted, side="right")
    starts = [i for i in range(1, len(wanted)) if group[i] > group[i - 1] and wanted[i] > wanted[i - 1] + 1]
    return [list(wanted[i:j]) for i, j in pairwise([0, *starts, len(wanted)])]


def _read(info: VideoInfo, wanted: Sequence[int], size: tuple[int, int]) -> dict[int, NDArray[np.uint8]]:
    """Decode increasing frame numbers, each stretch from its key frame to its last wanted one."""
    found: dict[int, NDArray[np.uint8]] = {}
    convert = Converter(size)
    with closing(_Reader(info, frozenset(wanted))) as reader:
        for stretch in _stretches(wanted, info):
            pending = set(stretch)
            for number, frame in reader.frames_from(stretch[0]):
                if number in pending:
                    found[number] = convert(frame)
                if number >= stretch[-1]:
                    break
    return found


def stream(path: Path | str, start: int = 0, stop: int | None = None) -> Iterator[Frame]:
    """Yield frames ``start`` to ``stop`` (exclusive) of a video, a still picture or a folder of pictures.

    Memory does not grow with the length. A still picture is one frame at time 0; the pictures of a folder
    come in natural order (2 before 10), 25 per second. Damaged frames are left out; the log says how many
    at the end.

    Raises:
        FrameError: there is no frame ``start``.
        UserError: as ``probe`` and ``read_image``; a folder without pictures, or of different sizes.

    """
    path = Path(path)
    if path.is_dir():
        yield from _stream_pictures(path, pictures_in(path), start, stop)
    elif path.suffix.lower() in PICTURE_SUFFIXES:
        yield from _stream_pictures(path, [path], start, stop)
    else:
        yield from _stream_video(path, start, stop)


def pictures_in(folder: Path) -> list[Path]:
    """List the pictures of a folder in natural order. Raises ``UserError`` when there are none."""
    found = [
        p for p in folder.iterdir() if p.suffix.lower() in PICTURE_SUFFIXES and not p.name.startswith(".")
    ]
    if not found:
        raise UserError(f"{folder} holds no pictures (png, jpg); name a folder of frames or a video")
    return sorted(found, key=natural_key)


def natural_key(path: Path) -> tuple[tuple[int, int, str], ...]:
    """Sort key under which ``2.png`` comes before ``10.png``."""
    parts = re.findall(r"\d+|\D+", path.name)
    return tuple((0, int(part), part) if part.isdecimal() else (1, 0, part) for part in parts)


def _stream_pictures(path: Path, pictures: Sequence[Path], start: int, stop: int | None) -> Iterator[Frame]:
    _require_start(path, start, len(pictures))
    shape: tuple[int, ...] | None = None
    for number, picture in enumerate(pictures[start:stop], start):
        image = read_image(picture)
        if shape not in (None, image.shape):
            raise UserError(f"{picture} differs in size from the pictures before it; bring them to one size")
        shape = image.shape
        yield Frame(image, Fraction(number, FOLDER_FPS))


def _require_start(path: Path, start: int, count: int) -> None:
    if not 0 <= start < count:
        raise FrameError(f"{path} has frames 0 to {count - 1}; it cannot start at frame {start}")


def _stream_video(path: Path, start: int, stop: int | None) -> Iterator[Frame]:
    info = probe(path)
    _require_start(path, start, info.num_frames)
    stop = info.num_frames if stop is None else min(stop, info.num_frames)
    convert = Converter((info.height, info.width))
    given = 0
    with closing(_Reader(info)) as reader:
        for number, frame in reader.frames_from(start):
            if number >= stop:
                break
            if number >= start:
                given += 1
                yield Frame(convert(frame), reader.time(frame, number))
    if given < stop - start:
        logger.warning(
            "%s: %d of %d frames are damaged and left out", path, stop - start - given, stop - start
        )


def count_good(info: VideoInfo, start: int = 0, stop: int | None = None) -> int:
    """Count the frames from ``start`` to ``stop`` (exclusive) that decode, which ``stream`` would give."""
    stop = info.num_frames if stop is None else min(stop, info.num_frames)
    count = 0
    with closing(_Reader(info)) as reader:
        for number, _ in reader.frames_from(start):
            if number >= stop:
                break
            count += number >= start
    return count
