"""Read joints and identity back from a picture of a puppet, drawn or predicted by a network.

Joints by their markers: pixels that are saturated and bright belong to markers alone, and their hue says
which. Identity by the garments: pixels along stated lines between the joints vote for the garment colours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from animate.data.synthetic.figure import MARKER_RADIUS
from animate.data.synthetic.kinds import kind_named
from animate.data.synthetic.palette import GARMENTS, WHITE, identity_of, marker_colours, mix, shade

if TYPE_CHECKING:
    from numpy.typing import NDArray

_PURE = 0.78
"""Saturation from which a pixel is a marker's; the art stays below ``palette.MAX_SATURATION``."""
_BRIGHT = 90.0
_COVERED = 0.3
"""Share of a marker's disc that has to be there."""
_CLOSE = 48.0
"""RGB distance up to which a pixel votes for a garment colour."""


def read_joints(image: NDArray[np.uint8], kind: str) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Find the markers of a figure of this kind.

    Args:
        image: (H, W, 3) uint8 RGB; best from 128 x 128 up, usable from 64 x 64.
        kind: Name of the kind, which fixes the joints and their colours.

    Returns:
        Points (J, 2) float32 in [-1, 1], in the kind's order, and found (J,) bool. What was not found is at
        (0, 0).

    """
    height, width = image.shape[:2]
    hsv = cv2.cvtColor(image.astype(np.float32), cv2.COLOR_RGB2HSV)
    pure = ((hsv[..., 1] > _PURE) & (hsv[..., 2] > _BRIGHT)).astype(np.float32)
    colours = np.array(marker_colours(len(kind_named(kind).joints)), dtype=np.float32)
    hues = cv2.cvtColor(colours[None], cv2.COLOR_RGB2HSV)[0, :, 0]
    away = np.abs((hsv[..., 0] - hues[:, None, None] + 180.0) % 360.0 - 180.0)
    likeness = pure * (away < 180.0 / len(hues))
    spots = [_spot(w, MARKER_RADIUS * (width - 1) / 2, MARKER_RADIUS * (height - 1) / 2) for w in likeness]
    found = np.array([spot is not None for spot in spots])
    pixels = np.array([spot or (0.0, 0.0) for spot in spots], dtype=np.float32)
    points = pixels / np.array([(width - 1) / 2, (height - 1) / 2], dtype=np.float32) - 1.0
    return np.where(found[:, None], points, np.float32(0.0)), found


def _spot(weights: NDArray[np.float32], rx: float, ry: float) -> tuple[float, float] | None:
    """Find the centre in pixels of the densest disc of these radii; None where there is too little of it."""
    if float(weights.sum()) < _COVERED * np.pi * rx * ry:
        return None
    window = tuple(int(2 * np.ceil(r) + 1) for r in (rx, ry))
    density = cv2.GaussianBlur(weights, window, 0.6 * rx, sigmaY=0.6 * ry, borderType=cv2.BORDER_CONSTANT)
    y, x = np.unravel_index(int(np.argmax(density)), density.shape)
    x0, y0 = max(int(x - np.ceil(1.5 * rx)), 0), max(int(y - np.ceil(1.5 * ry)), 0)
    part = weights[y0 : int(y + np.ceil(1.5 * ry)) + 1, x0 : int(x + np.ceil(1.5 * rx)) + 1]
    total = float(part.sum())
    if total < _COVERED * np.pi * rx * ry:
        return None
    rows, columns = np.arange(part.shape[0]), np.arange(part.shape[1])
    return x0 + float(part.sum(0) @ columns) / total, y0 + float(part.sum(1) @ rows) / total


@dataclass(frozen=True, slots=True)
class Line:
    """Where a garment is looked for: between two joints, and to both sides of the line between them."""

    start: str
    stop: str
    along: tuple[float, float]
    """From which to which share of the way from ``start`` to ``stop``."""
    aside: tuple[float, ...] = (0.0, -0.025, 0.025)
    """Distances from the line, in picture units."""
    spare: bool = False
    """Whether it is less reliable, and used only where none of the others can be."""


_BODY = ((0.3, 0.8), (0.0, -0.02, 0.02))
GARMENT_LINES: dict[str, tuple[tuple[Line, ...], tuple[Line, ...], tuple[Line, ...]]] = {
    "person": (
        tuple(
            Line(a, b, *_BODY)
            for a, b in (
                ("neck", "right_hip"),
                ("neck", "left_hip"),
                ("right_shoulder", "left_hip"),
                ("left_shoulder", "right_hip"),
            )
        ),
        (
            *(Line(f"{s}_shoulder", f"{s}_elbow", (0.3, 0.7)) for s in ("right", "left")),
            *(Line(f"{s}_elbow", "neck", (0.05, 0.25), spare=True) for s in ("right", "left")),
        ),
        (
            *(Line(f"{s}_hip", f"{s}_knee", (0.35, 0.75)) for s in ("right", "left")),
            Line("right_hip", "left_hip", (-0.3, 1.3), (0.075, 0.09)),
            Line("left_hip", "right_knee", (0.6, 0.85), spare=True),
            Line("right_hip", "left_knee", (0.6, 0.85), spare=True),
            *(Line(f"{s}_knee", "neck", (0.12, 0.35), spare=True) for s in ("right", "left")),
        ),
    ),
    "face": (
        (
            *(Line(f"{s}_shoulder", "neck", (-0.1, 0.3), (0.0, -0.05, 0.05)) for s in ("right", "left")),
            Line("right_shoulder", "left_shoulder", (-0.06, 0.06), spare=True),
            Line("left_shoulder", "right_shoulder", (-0.06, 0.06), spare=True),
        ),
        (
            Line("right_shoulder", "left_shoulder", (0.38, 0.62), (-0.10, -0.13)),
            Line("neck", "right_shoulder", (0.1, 0.3), (0.0, 0.06, -0.06)),
            Line("neck", "left_shoulder", (0.1, 0.3), (0.0, 0.06, -0.06)),
        ),
        tuple(
            Line(low, f"{s}_brow_{end}", (1.7, 2.1))
            for low in ("nose", "mouth_top")
            for s in ("right", "left")
            for end in ("inner", "outer")
        ),
    ),
    "animal": (
        (
            *(Line(f"{s}_front_shoulder", f"{s}_hind_hip", (0.25, 0.75)) for s in ("right", "left")),
            Line("neck", "tail_root", (0.45, 0.75)),
        ),
        (
            *(
                Line("neck", f"{s}_{joint}", (-0.05, 0.05), (-0.09, -0.075, 0.075, 0.09))
                for s in ("right", "left")
                for joint in ("front_shoulder", "eye")
            ),
            *(Line(f"{s}_front_shoulder", f"{s}_eye", (0.22, 0.34), spare=True) for s in ("right", "left")),
        ),
        tuple(
            Line(f"{s}_{end}_knee", f"{s}_{end}_paw", (0.5, 0.85), (0.0, -0.015, 0.015))
            for s in ("right", "left")
            for end in ("front", "hind")
        ),
    ),
}
"""For each kind, where its first, second and third garment is seen."""


def read_identity(
    image: NDArray[np.uint8], kind: str, points: NDArray[np.floating], visible: NDArray[np.bool_]
) -> int | None:
    """Read the identity code from the colours of a figure's three garments.

    Args:
        image: (H, W, 3) uint8 RGB.
        kind: Name of the kind.
        points: (J, 2) in [-1, 1], the kind's own joints: the truth, or from :func:`read_joints`.
        visible: (J,) bool; joints that are not visible are not used.

    Returns:
        The identity in [0, ``palette.NUM_CODES``); None when a garment cannot be seen.

    """
    places = {name: i for i, name in enumerate(kind_named(kind).joints)}
    digits = []
    for lines in GARMENT_LINES[kind]:
        usable = [x for x in lines if visible[places[x.start]] and visible[places[x.stop]]]
        usable = [x for x in usable if not x.spare] or usable
        samples = [_samples(x, points[places[x.start]], points[places[x.stop]]) for x in usable]
        votes = _votes(image, np.concatenate(samples)) if samples else np.zeros(len(GARMENTS))
        if not votes.any():
            return None
        digits.append(int(np.argmax(votes)))
    return identity_of((digits[0], digits[1], digits[2]))


def _samples(line: Line, start: NDArray[np.floating], stop: NDArray[np.floating]) -> NDArray[np.floating]:
    along = np.linspace(*line.along, 9)[:, None, None]
    way = stop - start
    across = np.array([-way[1], way[0]]) / max(float(np.hypot(*way)), 1e-6)
    aside = np.asarray(line.aside)[None, :, None]
    return np.asarray((start + along * way + aside * across).reshape(-1, 2))


def _votes(image: NDArray[np.uint8], samples: NDArray[np.floating]) -> NDArray[np.float64]:
    """Count, for each garment colour, the sampled pixels that have it; near colours count more."""
    height, width = image.shape[:2]
    inside = samples[np.all(np.abs(samples) <= 1.0, axis=1)]
    pixels = np.rint((inside + 1.0) / 2.0 * [width - 1, height - 1]).astype(np.int64)
    colours = image[pixels[:, 1], pixels[:, 0]].astype(np.float64)
    apart = np.linalg.norm(colours[:, None, None] - _variants()[None], axis=-1).min(axis=-1)
    best = np.argmin(apart, axis=1)
    strength = np.clip(1.0 - apart[np.arange(len(best)), best] / _CLOSE, 0.0, None)
    return np.bincount(best, weights=strength, minlength=len(GARMENTS)).astype(np.float64)


def _variants() -> NDArray[np.float64]:
    """List (garments, 3, 3) each garment colour in the light, in the shade, and as a light pattern."""
    return np.array([(c, shade(c), mix(c, WHITE, 0.42)) for c in GARMENTS], dtype=np.float64)
