"""Read joints and identity back from a picture of a puppet, drawn or predicted by a network.

Joints by their markers (see :mod:`.markers`). Identity by the garments: pixels along stated lines between the
joints vote for the garment colours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from animate.data.synthetic.kinds import kind_named
from animate.data.synthetic.markers import marker_pixels
from animate.data.synthetic.palette import GARMENTS, WHITE, identity_of, mix, shade

if TYPE_CHECKING:
    from numpy.typing import NDArray

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
    spots = marker_pixels(image[None]).spots(len(kind_named(kind).joints))
    return spots.points[0], spots.found[0]


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
    bare: tuple[float, float] | None = None
    """Where on the line the figure's own skin is seen, if it runs over that as well: that colour counts
    half."""


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
            *(
                Line(f"{s}_front_shoulder", f"{s}_eye", (0.22, 0.34), spare=True, bare=(-0.2, -0.12))
                for s in ("right", "left")
            ),
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
        ends = [(x, places[x.start], places[x.stop]) for x in lines]
        usable = [(x, points[a], points[b]) for x, a, b in ends if visible[a] and visible[b]]
        usable = [end for end in usable if not end[0].spare] or usable
        votes = sum((_line_votes(image, *end) for end in usable), np.zeros(len(GARMENTS)))
        if not votes.any():
            return None
        digits.append(int(np.argmax(votes)))
    return identity_of((digits[0], digits[1], digits[2]))


def _line_votes(
    image: NDArray[np.uint8], line: Line, start: NDArray[np.floating], stop: NDArray[np.floating]
) -> NDArray[np.float64]:
    votes = _votes(image, _samples(line, line.along, start, stop))
    if line.bare:
        skin = _votes(image, _samples(line, line.bare, start, stop))
        votes[np.argmax(skin)] *= 0.5 if skin.any() else 1.0
    return votes


def _samples(
    line: Line, along: tuple[float, float], start: NDArray[np.floating], stop: NDArray[np.floating]
) -> NDArray[np.floating]:
    steps = np.linspace(*along, 9)[:, None, None]
    way = stop - start
    across = np.array([-way[1], way[0]]) / max(float(np.hypot(*way)), 1e-6)
    aside = np.asarray(line.aside)[None, :, None]
    return np.asarray((start + steps * way + aside * across).reshape(-1, 2))


def _votes(image: NDArray[np.uint8], samples: NDArray[np.floating]) -> NDArray[np.float64]:
    """Count, for each garment colour, the sampled pixels that have it; near colours count more."""
    height, width = image.shape[:2]
    inside = samples[np.all(np.abs(samples) <= 1.0, axis=1)]
    pixels = np.rint((inside + 1.0) / 2.0 * [width - 1, height - 1]).astype(np.int64)
    colours = image[pixels[:, 1], pixels[:, 0]].astype(np.float64)
    apart = np.linalg.norm(colours[:, None, None] - _VARIANTS[None], axis=-1).min(axis=-1)
    strength = np.clip(1.0 - apart.min(axis=1) / _CLOSE, 0.0, None)
    return np.bincount(np.argmin(apart, axis=1), weights=strength, minlength=len(GARMENTS)).astype(np.float64)


_VARIANTS = np.array([(c, shade(c), mix(c, WHITE, 0.42)) for c in GARMENTS], dtype=np.float64)
"""(garments, 3, 3): each garment colour in the light, in the shade, and as a light pattern."""
