"""Boxes around persons, from the joints that a pose back-end finds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import numpy as np

from animate.annotate import backends
from animate.annotate.protocols import Box

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from animate.annotate.protocols import Frames, PointFinder

WIDENED = 0.1
"""Joints lie inside of a body: their extent is widened on each side by this share of its longer side."""
_FEWEST = 3  # joints; fewer say nothing about the extent of a figure


class PersonFinder:
    """The box of the main figure, as a ``BoxFinder``.

    Args:
        pose: what finds the joints.

    """

    def __init__(self, pose: PointFinder) -> None:
        self._pose = pose
        self.name, self.version = pose.name, pose.version

    @classmethod
    def named(cls, name: str) -> Self:
        """Build on the pose back-end of this name. Raises ``UserError`` when it cannot be made."""
        return cls(backends.poses(name))

    def __call__(self, frames: Frames) -> list[list[Box]]:
        """See ``BoxFinder``."""
        height, width = frames.shape[1:3]
        pose = self._pose(frames)
        rows = zip(pose.points, pose.found, pose.score, strict=True)
        return [
            [_around(points[found], score[found], width / height)] if found.sum() >= _FEWEST else []
            for points, found, score in rows
        ]


def _around(points: NDArray[np.float32], score: NDArray[np.float32], aspect: float) -> Box:
    low, high = points.min(axis=0), points.max(axis=0)
    extent = (high - low) * np.array([aspect, 1.0])
    wider = WIDENED * float(extent.max()) / np.array([aspect, 1.0])
    left, top = np.maximum(low - wider, -1.0)
    right, bottom = np.minimum(high + wider, 1.0)
    return Box(float(left), float(top), float(right), float(bottom), float(score.mean()))
