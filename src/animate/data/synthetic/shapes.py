"""Outlines of flat shapes: each function returns a polygon's corners, (N, 2) float64, y pointing down."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Points = NDArray[np.float64]
    Point = tuple[float, float]


@lru_cache(maxsize=64)
def _arc(start: float, stop: float, corners: int, closed: bool) -> Points:
    """Make (corners, 2) points of the unit circle; ``closed`` leaves out the last."""
    a = np.linspace(start, stop, corners, endpoint=not closed)
    return np.column_stack([np.cos(a), np.sin(a)])


def ellipse(centre: Point, rx: float, ry: float, *, corners: int = 20, turn: float = 0.0) -> Points:
    """Make an ellipse, turned by ``turn`` radians."""
    points = _arc(0.0, 2.0 * math.pi, corners, True) * (rx, ry)
    c, s = math.cos(turn), math.sin(turn)
    return np.asarray(points @ np.array([[c, s], [-s, c]]) + centre)


def capsule(a: Point, b: Point, ra: float, rb: float, *, corners: int = 7) -> Points:
    """Make a limb: the hull of two circles, nearly (its sides join the ends of half circles)."""
    length = math.hypot(b[0] - a[0], b[1] - a[1]) or 1.0
    c, s = (b[0] - a[0]) / length, (b[1] - a[1]) / length
    end = _arc(-math.pi / 2, math.pi / 2, corners, False) @ np.array([[c, s], [-s, c]])
    return np.concatenate([rb * end + b, a - ra * end])


def smooth(points: Sequence[Point], *, steps: int = 4) -> Points:
    """Make the closed Catmull-Rom curve through the points."""
    p = np.asarray(points, dtype=np.float64)
    before, after = np.concatenate([p[-1:], p[:-1]]), np.concatenate([p[1:], p[:1]])
    beyond = np.concatenate([p[2:], p[:2]])
    t = (np.arange(steps) / steps)[None, :, None]
    p0, p1, p2, p3 = (x[:, None, :] for x in (before, p, after, beyond))
    curve = 0.5 * (
        2 * p1 + (p2 - p0) * t + (2 * p0 - 5 * p1 + 4 * p2 - p3) * t**2 + (3 * p1 - p0 - 3 * p2 + p3) * t**3
    )
    return np.asarray(curve.reshape(-1, 2))


def box(x0: float, y0: float, x1: float, y1: float) -> Points:
    """Make an upright rectangle."""
    return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], dtype=np.float64)


def mirrored(points: Sequence[Point]) -> list[Point]:
    """Complete a right half, given from top to bottom, by its mirror image."""
    return [*points, *((-x, y) for x, y in reversed(points) if x != 0.0)]


def grown(points: Points, distance: float) -> Points:
    """Move the sides of a polygon outwards by ``distance`` (inwards where negative)."""
    ahead, back = np.concatenate([points[1:], points[:1]]), np.concatenate([points[-1:], points[:-1]])
    tangent = ahead - back
    normal = tangent[:, ::-1] * (1.0, -1.0)
    area = points[:, 0] @ ahead[:, 1] - points[:, 1] @ ahead[:, 0]
    length = np.sqrt(np.einsum("ij,ij->i", normal, normal))[:, None]
    return np.asarray(points + math.copysign(distance, area * distance) * normal / np.maximum(length, 1e-9))
