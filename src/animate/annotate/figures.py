"""Between a back-end's pixels and our records: coordinates, and which of several figures is the main one."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from animate.annotate.protocols import Box, Pose

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from animate.layouts import Layout

    Size = tuple[int, int]
    """(height, width)."""

LOYALTY = 1.5
"""The main figure stays the main one until another is this many times as large and sure."""
_SAME = 0.3
"""Overlap (intersection over union) with the previous frame's box from which it is the same figure."""


class Figure(NamedTuple):
    """What was found of one figure in one frame; J points of a layout."""

    points: NDArray[np.floating]
    """(J, 2) in [-1, 1]."""
    score: NDArray[np.floating]
    """(J,) in [0, 1]; 0: not found."""


def to_unit(pixels: NDArray[np.floating], size: Size) -> NDArray[np.float32]:
    """Turn pixel coordinates (..., 2), the first pixel's centre at 0, into [-1, 1] (corners aligned)."""
    return np.asarray(pixels * 2.0 / _extent(size) - 1.0, dtype=np.float32)


def to_pixels(points: NDArray[np.floating], size: Size) -> NDArray[np.float32]:
    """Turn points (..., 2) in [-1, 1] into pixel coordinates; the inverse of :func:`to_unit`."""
    return np.asarray((points + 1.0) / 2.0 * _extent(size), dtype=np.float32)


def _extent(size: Size) -> NDArray[np.float64]:
    return np.maximum(np.array([size[1], size[0]], dtype=np.float64) - 1.0, 1.0)


def unit_box(corners: Sequence[float] | NDArray[np.floating], score: float, size: Size) -> Box:
    """Make a box from its left, top, right and bottom in pixels."""
    edges = to_unit(np.asarray(corners, dtype=np.float64).reshape(2, 2), size)
    (left, top), (right, bottom) = edges.tolist()
    return Box(left, top, right, bottom, float(np.clip(score, 0.0, 1.0)))


def surest_first(boxes: Sequence[Box]) -> list[Box]:
    """Sort the boxes of a frame; among equals the larger, then the left one comes first."""
    return sorted(boxes, key=lambda box: (-box.score, -area(box), box.left, box.top))


def area(box: Box) -> float:
    """Area of a box, in the units of the coordinates: the whole picture has 4."""
    return max(box.right - box.left, 0.0) * max(box.bottom - box.top, 0.0)


def overlap(a: Box, b: Box) -> float:
    """Intersection over union of two boxes, in [0, 1]."""
    across = min(a.right, b.right) - max(a.left, b.left)
    down = min(a.bottom, b.bottom) - max(a.top, b.top)
    common = max(across, 0.0) * max(down, 0.0)
    return common / max(area(a) + area(b) - common, 1e-12)


def main_figures(boxes: Sequence[Sequence[Box]]) -> list[int | None]:
    """Tell which box of each frame is the main figure's; None where there is no box.

    It is the largest, weighed by how sure it is. Frames are taken to follow each other: who was the main
    figure stays it until another is ``LOYALTY`` times as large, so that two of about the same size do not
    take turns.
    """
    chosen: list[int | None] = []
    last: Box | None = None
    for frame in boxes:
        weights = [area(box) * box.score for box in frame]
        if last is not None:
            known = [overlap(box, last) >= _SAME for box in frame]
            weights = [w * LOYALTY if same else w for w, same in zip(weights, known, strict=True)]
        best = int(np.argmax(weights)) if weights else None
        chosen.append(best)
        last = last if best is None else frame[best]
    return chosen


def main_boxes(boxes: Sequence[Sequence[Box]]) -> list[Box | None]:
    """Return the main figure's box in each frame; see :func:`main_figures`."""
    return [None if i is None else frame[i] for frame, i in zip(boxes, main_figures(boxes), strict=True)]


def extent_box(figure: Figure) -> Box:
    """Return the smallest box around the points that were found of a figure; empty where there is none."""
    seen = figure.points[figure.score > 0.0]
    if not len(seen):
        return Box(0.0, 0.0, 0.0, 0.0, 0.0)
    (left, top), (right, bottom) = seen.min(axis=0).tolist(), seen.max(axis=0).tolist()
    return Box(left, top, right, bottom, float(figure.score.mean()))


def main_pose(layout: Layout, figures: Sequence[Sequence[Figure]]) -> Pose:
    """Make a pose of the main figure in each frame; frames without figures have no points."""
    main = main_figures([[extent_box(figure) for figure in frame] for frame in figures])
    return make_pose(layout, [None if i is None else f[i] for f, i in zip(figures, main, strict=True)])


def make_pose(layout: Layout, figures: Sequence[Figure | None]) -> Pose:
    """Make a pose of one figure per frame, or none."""
    count = len(layout.points)
    points = np.zeros((len(figures), count, 2), np.float32)
    score = np.zeros((len(figures), count), np.float32)
    for n, figure in enumerate(figures):
        if figure is not None:
            points[n], score[n] = figure.points, np.clip(figure.score, 0.0, 1.0)
    found = score > 0.0
    points[~found] = 0.0
    return Pose(layout.name, points, found, score)
