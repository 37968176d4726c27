"""The two clips of a transfer: whose poses are danced, and who dances them."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from animate.annotate.find import find_clips
from animate.annotate.frames import ClipFrames, Clock
from animate.annotate.protocols import Pose
from animate.annotate.runner import content_of
from animate.errors import UserError
from animate.pipelines.pose_set.recipe import MANIFEST, PoseSet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from animate.annotate.frames import Numbered

    Size = tuple[int, int]
    """(height, width)."""

logger = logging.getLogger(__name__)

EVEN = 1e-5
"""Seconds by which the times of an even clock may be rounded."""


class Person(NamedTuple):
    """Who dances: the poses that were learned from, and the size of their pictures."""

    pose: Pose
    size: Size

    @classmethod
    def open(cls, path: Path) -> Person:
        """Read the data set that a model was trained on, or a clip that has its poses beside it.

        Raises:
            UserError: there are no poses, or it was prepared as the source of a dance.

        """
        if _is_prepared(path):
            made = PoseSet.load(path)
            made.require("target")
            return cls(made.poses(), made.size)
        dance = Dance.open(path)
        return cls(dance.pose, dance.size)


@dataclass(frozen=True, slots=True)
class Dance:
    """What is danced: N frames with their poses and times."""

    path: Path
    pose: Pose
    size: Size
    """Of the pictures that the poses are of."""
    times: Sequence[Fraction]
    """(N,) when each frame is shown, in seconds on the clock of ``sound``."""
    fps: Fraction
    """Mean frame rate."""
    sound: Path | None
    """A file with the sound that belongs to it."""
    read: Callable[[int, int], Iterator[Numbered]]
    """Decodes the frames from one number up to another; broken ones are left out."""

    @classmethod
    def open(cls, path: Path) -> Dance:
        """Read a prepared source, or a clip that has its poses beside it, without decoding a frame.

        Raises:
            UserError: there are no poses, they are not this clip's, or it was prepared as a target.

        """
        return _prepared(path) if _is_prepared(path) else _annotated(path)

    def pictures(self, start: int, stop: int) -> Iterator[NDArray[np.uint8]]:
        """Decode the frames of a range; for a broken one the one before is given again, black before any."""
        shown, at = np.zeros((*self.size, 3), np.uint8), start
        for frame in self.read(start, stop):
            while at < frame.number:
                yield shown
                at += 1
            shown, at = frame.image, at + 1
            yield shown
        for _ in range(at, stop):
            yield shown


def aspect(size: Size) -> float:
    """(W - 1) / (H - 1): how much longer a unit of x is than one of y."""
    return (size[1] - 1) / (size[0] - 1)


def clock(times: Sequence[float], fps: Fraction) -> list[Fraction]:
    """Give rounded times exactly where they are those of an even clock, and as they are elsewhere."""
    first = Fraction(times[0]).limit_denominator(1_000_000)
    exact = []
    for number, time in enumerate(times):
        tick = first + number / fps
        even = abs(float(tick) - time) < EVEN
        exact.append(tick if even else Fraction(time).limit_denominator(1_000_000))
    return exact


def _is_prepared(path: Path) -> bool:
    return (path / MANIFEST).is_file()


def _prepared(path: Path) -> Dance:
    """Open what ``animate pose2vid prepare --role source`` made: one clip of all frames."""
    made = PoseSet.load(path)
    made.require("source")
    fps = Fraction(made.fps).limit_denominator(1001)
    clip = find_clips(path / made.pieces[0].path).clips[0]
    if (clip.size, clip.num_frames) != (made.size, len(made.numbers)):
        raise UserError(f"{clip.path} is not what {MANIFEST} says of it; prepare the data set again")
    return Dance(
        path,
        made.poses(),
        made.size,
        clock(made.times, fps),
        fps,
        _sound_of(made, path),
        lambda start, stop: ClipFrames(clip, start, stop).read(),
    )


def _sound_of(made: PoseSet, path: Path) -> Path | None:
    """Find the video that a data set was made of, where it still is what it was."""
    video = Path(made.video)
    if video.is_dir():
        return None
    if video.is_file() and content_of(video) == made.recipe.get("content"):
        return video
    logger.warning("%s: the video that it was made of, %s, is not there any more: no sound", path, video)
    return None


def _annotated(path: Path) -> Dance:
    """Open a clip whose poses lie in a sidecar."""
    clips = find_clips(path).clips
    if len(clips) != 1:
        raise UserError(
            f"{path}: {len(clips)} clips and no {MANIFEST}; give one video, or a folder of `animate pose2vid"
            " prepare`"
        )
    clip, when = clips[0], Clock.of(clips[0])
    known = clip.reader.open(clip).truth(range(clip.num_frames), clip.size)
    if "points" not in known:
        raise UserError(
            f"{path} has no poses; `animate pose2vid prepare` or `animate annotate pose` finds them"
        )
    points, found = np.asarray(known["points"], np.float32), np.asarray(known["visible"], np.bool_)
    return Dance(
        path,
        Pose(str(known["layout"]), points, found, found.astype(np.float32)),
        clip.size,
        clock(when.times.tolist(), when.fps),
        when.fps,
        path if when.has_audio else None,
        lambda start, stop: ClipFrames(clip, start, stop).read(),
    )
