"""How varied poses are, and which poses of a source a target has never taken."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from animate.annotate.translate import translate
from animate.layouts import COCO17

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from animate.annotate.protocols import Pose

    Values = NDArray[np.float64]

NEAR = 0.06
"""Poses are near each other up to this mean distance of a joint, in heights of the person."""
MOST = 800
"""Poses of a clip that are compared at most, evenly spaced."""
_BODY = tuple(i for i, name in enumerate(COCO17.points) if not name.endswith(("eye", "ear")))
_HIPS = (COCO17.index("right_hip"), COCO17.index("left_hip"))
_SHARED = 6
"""Joints that two poses need to have in common to be compared."""


class Shapes:
    """Poses without their place in the picture: 13 joints about the hips' middle, in heights of the person.

    Args:
        pose: of a clip.
        aspect: (W - 1) / (H - 1) of its pictures.
        height: of the person, in halves of the picture's height.
        most: how many are kept at most, evenly spaced over those with both hips.

    """

    def __init__(self, pose: Pose, aspect: float, height: float, most: int = MOST) -> None:
        body = translate(pose, COCO17)
        usable = np.flatnonzero(body.found[:, _HIPS].all(axis=1))
        chosen = np.unique(np.linspace(0, max(len(usable) - 1, 0), most).round().astype(int))
        self.numbers = usable[chosen] if len(usable) else usable
        """Which frames these are."""
        places = body.points[self.numbers].astype(np.float64) * [aspect, 1.0]
        middle = places[:, _HIPS].mean(axis=1, keepdims=True)
        self.places = (places - middle)[:, _BODY] / height
        self.found = body.found[self.numbers][:, _BODY]

    def distances(self, others: Shapes) -> Values:
        """Compare each with each: (N, M), the mean distance of joints found in both; inf with too few."""
        result = np.full((len(self.places), len(others.places)), np.inf)
        for n, (places, found) in enumerate(zip(self.places, self.found, strict=True)):
            both = others.found & found
            count = both.sum(axis=1)
            apart = np.linalg.norm(others.places - places, axis=-1)
            enough = count >= _SHARED
            result[n, enough] = (apart * both).sum(axis=1)[enough] / count[enough]
        return result


def distinct(shapes: Shapes) -> int:
    """Count poses of which no two are near each other, picked in the order of time."""
    apart = shapes.distances(shapes)
    kept: list[int] = []
    for n in range(len(apart)):
        if np.isfinite(apart[n, n]) and not (apart[n, kept] <= NEAR).any():
            kept.append(n)
    return len(kept)


def most_different(shapes: Shapes, count: int) -> list[int]:
    """Choose up to so many poses, by their places: the first, then each the farthest from all before it.

    The greedy choice of Gonzalez (1985). Poses that cannot be compared with those before come last.
    """
    apart = shapes.distances(shapes)
    apart[np.isinf(apart)] = 0.0
    chosen: list[int] = []
    nearest = np.zeros(len(apart))
    while len(chosen) < min(count, len(apart)):
        chosen.append(int(nearest.argmax()))
        nearest = apart[chosen].min(axis=0)
        nearest[chosen] = -1.0
    return chosen


def uncovered(target: Shapes, source: Shapes) -> list[int]:
    """List the frames of a source whose pose has no near neighbour in the target, the farthest first."""
    nearest = source.distances(target).min(axis=1, initial=np.inf)
    order = np.argsort(-np.minimum(nearest, 1e9), kind="stable")
    return [int(source.numbers[n]) for n in order if nearest[n] > NEAR]
