"""The frames of a video that a data set is made of: which, and in what pieces of work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from animate.annotate.find import find_clips
from animate.annotate.frames import ClipFrames, Clock
from animate.annotate.runner import content_of
from animate.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from animate.annotate.frames import Numbered
    from animate.pipelines.pose_set.recipe import Recipe

CHUNK = 64
"""Frames of a piece of work: as many are done again when a run is killed."""


class Chunk(NamedTuple):
    """A piece of work."""

    place: int
    """Counted from 0."""
    numbers: list[int]
    """The frames' numbers in the video, increasing."""


@dataclass(frozen=True, slots=True)
class Footage:
    """A video, and the frames of it that are used."""

    path: Path
    content: str
    """Names what the file holds."""
    size: tuple[int, int]
    """(height, width) of its pictures."""
    num_frames: int
    """Of the whole video."""
    fps: float
    """Of the frames that are used."""
    numbers: list[int]
    """Of these, each number in the video."""
    times: list[float]
    """And when it is shown, in seconds on the video's clock."""
    clip: Any
    """The ``Clip`` that ``annotate.find`` gives."""

    @classmethod
    def open(cls, path: Path, recipe: Recipe) -> Footage:
        """Choose frames, without decoding any.

        Raises:
            UserError: it is no single video, or has no frame in the range.

        """
        clips = find_clips(path).clips
        if len(clips) != 1:
            raise UserError(f"{path}: {len(clips)} clips; give one video, or one folder of frames")
        clip = clips[0]
        clock = Clock.of(clip)
        stop = clip.num_frames if recipe.stop is None else min(recipe.stop, clip.num_frames)
        if recipe.start >= stop:
            raise UserError(
                f"{path} has frames 0 to {clip.num_frames - 1}; it cannot start at {recipe.start}"
            )
        numbers = _at_rate(clock.times, range(recipe.start, stop), recipe.fps)
        fps = float(clock.fps) if len(numbers) == stop - recipe.start else float(recipe.fps or clock.fps)
        times = [round(float(clock.times[n]), 6) for n in numbers]
        return cls(path, content_of(clip.path), clip.size, clip.num_frames, fps, numbers, times, clip)

    def chunks(self) -> list[Chunk]:
        """Cut the frames that are used into pieces of work."""
        starts = range(0, len(self.numbers), CHUNK)
        return [Chunk(place, self.numbers[start : start + CHUNK]) for place, start in enumerate(starts)]

    def frames(self, chunk: Chunk) -> Iterator[Numbered]:
        """Decode the frames of a piece of work; those that cannot be decoded are left out."""
        wanted = set(chunk.numbers)
        for frame in ClipFrames(self.clip, chunk.numbers[0], chunk.numbers[-1] + 1).read():
            if frame.number in wanted:
                yield frame


def _at_rate(times: NDArray[np.float64], every: range, fps: float | None) -> list[int]:
    """Choose the frames that are shown nearest to the ticks of a slower clock."""
    if fps is None:
        return list(every)
    ticks = np.arange(times[every[0]], times[every[-1]] + 0.5 / fps, 1.0 / fps)
    own = times[every[0] : every[-1] + 1]
    after = np.clip(np.searchsorted(own, ticks), 1, max(len(own) - 1, 1))
    nearest = after - (ticks - own[after - 1] <= own[np.minimum(after, len(own) - 1)] - ticks)
    return sorted({every[0] + int(place) for place in nearest})
