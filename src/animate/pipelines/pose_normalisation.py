"""Brings the poses of one person to the size and place of another: Everybody Dance Now's normalisation.

Chan et al., "Everybody Dance Now", ICCV 2019. The formula is theirs; here it uses every frame, percentiles
instead of extremes, and bounds, so that it is the same in every run and a few wrong poses do not matter.

A pose stands where its feet are: the lower a foot is in the picture, the nearer the person is to the camera.
Heights and places are measured in halves of the picture's height, so that pictures of any size go together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from animate.annotate.protocols import Pose
from animate.errors import UserError
from animate.layouts import layout_named

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Values = NDArray[np.float64]

FRACTION = 0.5
"""The far line is sought up to this share of the way from the median to the near line, on its other side."""
EXTREME = 98.0
"""Percentile that stands for the largest foot place, and from the other side for the smallest."""
TALLEST = 95.0
"""Percentile that stands for the tallest pose."""
BAND = 0.05
"""Poses this close to a line, as a share of the range, tell how tall the person is there."""
FEWEST = 0.05
"""At least this share of the poses is looked at for that, the closest ones."""
ROUNDS = 4
"""How often the heights at the lines are measured anew; they hardly change after the second time."""
EXCESS = 1.1
"""If the tallest pose of all is more than this times the tallest near one, it is taken instead."""
BEYOND = 0.5
"""The size goes on changing with the place beyond both lines for this share of the range, then no more."""
LIMB = 25.0
"""Percentile over the limbs of how much larger the target's are; who points at the camera looks short."""


class Filmed(NamedTuple):
    """A clip's poses and the pictures that they are of."""

    pose: Pose
    aspect: float
    """(W - 1) / (H - 1): how much longer a unit of x is than one of y."""


class Feet(NamedTuple):
    """Where the person stands in each of N frames."""

    toe: Values
    """(N,) the lower ankle's y; NaN without ankles."""
    height: Values
    """(N,) from the nose to the ankles' middle; NaN without nose or without both ankles."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a person moves and how tall it is there."""

    near: float
    """y of the line on which the person is closest to the camera."""
    far: float
    height_near: float
    height_far: float


@dataclass(frozen=True, slots=True)
class Moves:
    """What happens to each of N poses: scaled about the picture's middle line and the foot, and moved.

    x' = scale x; y' = foot + shift + scale (y - foot), in halves of the picture's height.
    """

    scale: Values
    foot: Values
    shift: Values

    def apply(self, source: Filmed, aspect: float) -> Pose:
        """Move the N source poses into the target's pictures, which have this ``aspect``."""
        pose = source.pose
        x, y = pose.points[..., 0] * source.aspect, pose.points[..., 1]
        scale, foot, shift = (values[:, None] for values in (self.scale, self.foot, self.shift))
        moved = np.stack([x * scale / aspect, foot + shift + (y - foot) * scale], axis=-1)
        points = np.where(pose.found[..., None], moved, 0.0).astype(np.float32)
        return Pose(pose.layout, points, pose.found, pose.score)


class Normalisation(Protocol):
    """Finds out how the poses of a source clip are moved to fit those of a target clip."""

    def __call__(self, target: Filmed, source: Filmed) -> Moves:
        """Compare the clips. Raises ``UserError`` when one of them has no pose to measure."""


def leave(target: Filmed, source: Filmed) -> Moves:  # noqa: ARG001  all normalisations are called alike
    """Move nothing."""
    nothing = np.zeros(len(source.pose.points))
    return Moves(nothing + 1.0, nothing, nothing)


def globally(target: Filmed, source: Filmed) -> Moves:
    """Match the range of places, and the height at its near and far end; between them both change evenly.

    That the *scale* changes evenly is the published rule. It is exact where the cameras stand alike; where
    one sees a steeper perspective, a pose midway is off by some per cent.

    A frame without a foot is moved as the one before it, and those before the first as the first.
    """
    there, here = _measured(target.pose, "target"), _measured(source.pose, "source")
    ours = placement(here, *ground(here.toe))
    theirs = placement(there, *_window(ground(there.toe), ours.near - ours.far))
    return _held(match(theirs, ours, here.toe), here.toe)


def frame_by_frame(target: Filmed, source: Filmed) -> Moves:
    """Match the length of limbs in each frame for itself, and put the feet on the target's usual line.

    For a source of which nothing is known in advance. The size trembles, and a jump is lost.
    """
    there, here = _measured(target.pose, "target"), _feet(source.pose)
    usual = _percentile_of_rows(_limbs(target).T, TALLEST)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = usual / _limbs(source)
    ratio[~np.isfinite(ratio)] = np.nan
    scale = _percentile_of_rows(ratio, LIMB)
    known = np.where(np.isfinite(scale), here.toe, np.nan)
    return _held(Moves(scale, here.toe, float(np.nanmedian(there.toe)) - here.toe), known)


def normalised(target: Filmed, source: Filmed, how: Normalisation = globally) -> Pose:
    """Give the source's poses as the target would take them, in the target's pictures.

    Both need the same layout, or at least the names of nose and ankles, and for ``frame_by_frame`` limbs.

    Raises:
        UserError: there is no pose to measure.

    """
    return how(target, source).apply(source, target.aspect)


NORMALISATIONS: Mapping[str, Normalisation] = {
    "none": leave,
    "global": globally,
    "per-frame": frame_by_frame,
}


def ground(toe: Values, fraction: float = FRACTION) -> tuple[float, float]:
    """Find the near and the far line that a person moves between.

    Near is the largest y of a foot. Far is the smallest that is above the median in the picture, yet closer
    to it than ``fraction`` of the distance from there to the near line: feet in the air do not count.
    """
    toe = toe[np.isfinite(toe)]
    near, median = (float(value) for value in np.percentile(toe, [EXTREME, 50.0]))
    close = toe[(toe < median) & (median - toe < fraction * (near - median))]
    return near, float(np.percentile(close, 100.0 - EXTREME)) if len(close) else median


def placement(feet: Feet, near: float, far: float) -> Placement:
    """Measure how tall a person is at two lines.

    Poses that are taken for a line stand a little before or behind it, and of those the nearer ones are
    taller. So their heights are brought to the line by what is known so far, a few times over.
    """
    known = np.isfinite(feet.height)
    toe, height = feet.toe[known], feet.height[known]
    share = _share(toe, near, far)
    level, at_near, at_far = np.ones_like(height), 1.0, 1.0
    for _ in range(ROUNDS):
        height_near = _height_at(toe, height / level * at_near, near, near - far)
        height_far = _height_at(toe, height / level * at_far, far, near - far)
        level = np.maximum(
            height_far + share * (height_near - height_far), 0.5 * min(height_near, height_far)
        )
        at_near, at_far = height_near, height_far
    tallest = float(np.percentile(height, TALLEST))
    return Placement(near, far, tallest if tallest > EXCESS * height_near else height_near, height_far)


def match(target: Placement, source: Placement, toe: Values) -> Moves:
    """Move feet at ``toe`` (N,) from the source's range to the same share of the target's."""
    share = _share(toe, source.near, source.far)
    ends = target.height_near / source.height_near, target.height_far / source.height_far
    scale = np.maximum(ends[1] + share * (ends[0] - ends[1]), 0.5 * min(ends))
    # What is farther beyond, such as a high jump, keeps its distance, at its size.
    rest = toe - (source.far + share * (source.near - source.far))
    place = target.far + share * (target.near - target.far) + rest * scale
    return Moves(scale, toe, place - toe)


def _share(toe: Values, near: float, far: float) -> Values:
    """Tell how far from the far line to the near one a foot is, within bounds; 0 without a range."""
    return np.clip((toe - far) / max(near - far, 1e-6), -BEYOND, 1.0 + BEYOND)


def _height_at(toe: Values, height: Values, line: float, span: float) -> float:
    """Tell the height of the tallest poses that stand at a line."""
    distance = np.abs(toe - line)
    reach = max(BAND * span, float(np.percentile(distance, 100.0 * FEWEST)))
    return float(np.percentile(height[distance <= reach], TALLEST))


def _window(lines: tuple[float, float], width: float) -> tuple[float, float]:
    """Narrow (near, far) to at most ``width``, about the middle."""
    near, far = lines
    if width >= near - far:
        return lines
    return (near + far + width) / 2.0, (near + far - width) / 2.0


def _feet(pose: Pose) -> Feet:
    layout = layout_named(pose.layout)
    needed = ("nose", "right_ankle", "left_ankle")
    if missing := [name for name in needed if name not in layout.points]:
        raise UserError(f"poses of the layout {pose.layout} have no {missing[0]}; normalise with 'none'")
    nose, *ankles = (layout.index(name) for name in needed)
    y = np.where(pose.found, pose.points[..., 1].astype(np.float64), np.nan)
    toe = np.fmax(y[:, ankles[0]], y[:, ankles[1]])
    return Feet(toe, np.abs(y[:, nose] - y[:, ankles].mean(axis=1)))


def _measured(pose: Pose, whose: str) -> Feet:
    feet = _feet(pose)
    if not np.isfinite(feet.height).any() or not np.nanmax(feet.height) > 0.0:
        raise UserError(
            f"the {whose}: in no frame are nose and both ankles found, so its size is not known; film the"
            " whole body, or normalise with 'none'"
        )
    return feet


def _limbs(clip: Filmed) -> Values:
    """Measure the limbs in each frame: (N, L) in halves of the picture's height; NaN without both ends."""
    ends = np.array(layout_named(clip.pose.layout).limbs)
    points = np.where(clip.pose.found[..., None], clip.pose.points * [clip.aspect, 1.0], np.nan)
    return np.asarray(np.linalg.norm(points[:, ends[:, 0]] - points[:, ends[:, 1]], axis=-1))


def _percentile_of_rows(values: Values, percentile: float) -> Values:
    """Percentile of each row's numbers; NaN where a row has none."""
    result = np.full(len(values), np.nan)
    some = np.isfinite(values).any(axis=1)
    result[some] = np.nanpercentile(values[some], percentile, axis=1)
    return result


def _held(moves: Moves, known: Values) -> Moves:
    """Repeat the move before where there is none; the first one where there is none before."""
    there = np.isfinite(known)
    if not there.any():
        raise UserError("the source: no pose in it has a foot; film the whole body, or normalise with 'none'")
    numbers = np.where(there, np.arange(len(known)), -1)
    last = np.maximum.accumulate(numbers)
    last[last < 0] = int(np.argmax(there))
    return Moves(moves.scale[last], moves.foot[last], moves.shift[last])
