"""The frames of a clip one after the other with their numbers, and which of them are broken."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from animate.data.clips import ClipCache, ContainerSource, FrameFolderSource
from animate.data.frame_files import list_frames
from animate.errors import UserError
from animate.video.decode import FOLDER_FPS, stream
from animate.video.image import read_image

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from animate.annotate.protocols import Frames
    from animate.data.index import Clip
    from animate.data.packed import PackedInfo

NOT_DECODED = "cannot be decoded"
_BATCH_BYTES = 48 * 2**20
_BATCH_FRAMES = 32


class Numbered(NamedTuple):
    """One frame."""

    number: int
    """Counted from 0 in the clip, broken ones too."""
    image: NDArray[np.uint8]
    """(H, W, 3) RGB, upright. In a frame folder pictures may differ in size."""
    time: Fraction
    """Seconds on the clock of the file."""


class Batch(NamedTuple):
    """Frames of one size."""

    numbers: list[int]
    frames: Frames


@dataclass(frozen=True, slots=True)
class Clock:
    """When the frames of a clip are shown."""

    fps: Fraction
    """Mean frame rate."""
    times: NDArray[np.float64]
    """(N,) seconds on the clock of the file."""
    has_audio: bool

    @classmethod
    def of(cls, clip: Clip) -> Clock:
        """Read it from what the index knows."""
        if isinstance(clip.reader, ContainerSource):
            info = clip.reader.info.unpack(clip.path)
            return cls(info.fps, info.times, info.has_audio)
        return cls(Fraction(FOLDER_FPS), np.arange(clip.num_frames) / FOLDER_FPS, has_audio=False)

    def time(self, number: int) -> float:
        """Tell when a frame is shown; for the one after the last, when that ends."""
        return float(self.times[number] if number < len(self.times) else self.times[-1] + 1 / self.fps)


class ClipFrames:
    """Goes once through a clip, or a range of it; memory does not grow with its length.

    Args:
        clip: a video, a frame folder or a strip, or a single picture as a strip of one frame.
        start: the first frame.
        stop: the frame after the last one; the end without.

    """

    def __init__(self, clip: Clip, start: int = 0, stop: int | None = None) -> None:
        self._clip, self._start = clip, start
        self._stop = clip.num_frames if stop is None else min(stop, clip.num_frames)
        self.broken: dict[int, str] = {}
        """Frames that could not be read, with the reason; complete when the iteration has ended."""

    def read(self) -> Generator[Numbered]:
        """Decode the frames in order; broken ones are left out.

        Raises ``UserError`` when the file cannot be opened.
        """
        source = self._clip.reader
        if isinstance(source, ContainerSource):
            return self._video(source.info)
        if isinstance(source, FrameFolderSource):
            return self._pictures(list_frames(self._clip.path))
        return self._strip()

    def _video(self, packed: PackedInfo) -> Generator[Numbered]:
        times = packed.unpack(self._clip.path).times
        missing = set(range(self._start, self._stop))
        for frame in stream(self._clip.path, self._start, self._stop):
            number = _nearest(times, float(frame.time))
            missing.discard(number)
            yield Numbered(number, frame.image, frame.time)
        self.broken |= dict.fromkeys(sorted(missing), NOT_DECODED)

    def _pictures(self, files: list[Path]) -> Generator[Numbered]:
        for number in range(self._start, min(self._stop, len(files))):
            try:
                image = read_image(files[number])
            except UserError as error:
                self.broken[number] = str(error).replace(str(files[number]), files[number].name)
                continue
            yield Numbered(number, image, Fraction(number, FOLDER_FPS))

    def _strip(self) -> Generator[Numbered]:
        reader = ClipCache(max_readers=1).open(self._clip)
        for number in range(self._start, self._stop):
            yield Numbered(number, reader.frames([number], None)[0], Fraction(number, FOLDER_FPS))


def _nearest(times: NDArray[np.float64], time: float) -> int:
    """Return the place of the value closest to ``time`` among increasing ones."""
    after = int(np.searchsorted(times, time))
    around = [i for i in (after - 1, after) if 0 <= i < len(times)]
    return min(around, key=lambda i: abs(float(times[i]) - time))


def batched(frames: Iterable[Numbered]) -> Iterator[Batch]:
    """Group frames of one size, up to 32 of them and about 48 MiB; at least one."""
    held: list[Numbered] = []
    for frame in frames:
        room = min(_BATCH_FRAMES, _BATCH_BYTES // frame.image.nbytes)
        if held and (len(held) >= room or held[0].image.shape != frame.image.shape):
            yield _batch(held)
            held = []
        held.append(frame)
    if held:
        yield _batch(held)


def _batch(held: list[Numbered]) -> Batch:
    return Batch([frame.number for frame in held], np.stack([frame.image for frame in held]))
