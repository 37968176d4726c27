"""Anti-aliased painting of many polygons, and the map from the picture's coordinates to pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

OVERSAMPLING = 2
"""Everything is painted, anti-aliased, on a canvas this many times as large, and averaged down."""
_SHIFT = 4
_FRACTION = 1 << _SHIFT

Size = tuple[int, int]
"""(height, width) in pixels."""


def blank(size: Size, channels: int = 3) -> NDArray[np.uint8]:
    """Return an empty canvas for a picture of ``size``."""
    return np.zeros((size[0] * OVERSAMPLING, size[1] * OVERSAMPLING, channels), dtype=np.uint8)


def to_canvas(points: NDArray[np.floating], size: Size) -> NDArray[np.floating]:
    """Points (..., 2) in [-1, 1] (centres of the corner pixels at -1 and 1) as positions on the canvas."""
    scale = np.array([(size[1] - 1) / 2, (size[0] - 1) / 2], dtype=points.dtype) * OVERSAMPLING
    return np.asarray((points + 1) * scale + (OVERSAMPLING - 1) / 2)


def fixed_point(places: NDArray[np.floating]) -> NDArray[np.int32]:
    """Positions on a canvas in the fixed-point numbers that OpenCV draws with."""
    return np.asarray(np.rint(places * _FRACTION), dtype=np.int32)


def fill(
    canvas: NDArray[np.uint8], places: NDArray[np.int32], strokes: Iterable[tuple[int, int, tuple[int, ...]]]
) -> None:
    """Paint polygons, each of corners ``start`` to ``stop`` of ``places`` in one colour, one over another."""
    for start, stop, colour in strokes:
        cv2.fillPoly(canvas, [places[start:stop]], colour, cv2.LINE_AA, _SHIFT)


def fill_hard(
    canvas: NDArray[np.uint8], places: NDArray[np.int32], strokes: Iterable[tuple[int, int, int]]
) -> None:
    """Do the same without anti-aliasing, for maps of labels."""
    for start, stop, label in strokes:
        cv2.fillPoly(canvas, [places[start:stop]], (label,), cv2.LINE_8, _SHIFT)


def finished(canvas: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the picture: each pixel the mean of its part of the canvas."""
    height, width = canvas.shape[0] // OVERSAMPLING, canvas.shape[1] // OVERSAMPLING
    return np.asarray(cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA))
