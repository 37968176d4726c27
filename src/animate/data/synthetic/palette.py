"""Colours: what figures and scenes are painted with, and the two codes that can be read back from a picture.

Markers are fully saturated and bright; everything else keeps its saturation at or below ``MAX_SATURATION``.
Colours mixed from muted colours, by anti-aliasing or by blur, are muted too, so a saturated pixel belongs to
a marker. A figure's three garments have the colours of ``GARMENTS``, which encode its identity.
"""

from __future__ import annotations

import colorsys

Colour = tuple[int, int, int]

MAX_SATURATION = 0.66
INK: Colour = (44, 36, 58)
WHITE: Colour = (250, 248, 242)

GARMENTS: tuple[Colour, ...] = (
    (206, 78, 82),  # red
    (228, 140, 82),  # orange
    (238, 208, 104),  # yellow
    (112, 178, 96),  # green
    (78, 172, 172),  # teal
    (86, 124, 206),  # blue
    (146, 98, 190),  # purple
    (236, 140, 184),  # pink
    (238, 236, 228),  # white
    (84, 88, 108),  # slate
)
NUM_CODES = len(GARMENTS) ** 3
SKINS: tuple[Colour, ...] = (
    (255, 222, 196),
    (246, 202, 168),
    (226, 176, 138),
    (196, 142, 104),
    (156, 106, 78),
    (116, 78, 60),
)
HAIRS: tuple[Colour, ...] = (
    (60, 48, 52),
    (96, 64, 50),
    (140, 94, 62),
    (204, 156, 92),
    (240, 214, 148),
    (190, 96, 70),
    (214, 214, 222),
    (120, 140, 190),
    (206, 130, 170),
)
FURS: tuple[Colour, ...] = (
    (214, 160, 104),
    (150, 106, 76),
    (110, 84, 76),
    (238, 220, 190),
    (206, 206, 214),
    (130, 136, 152),
    (226, 150, 100),
    (90, 84, 100),
    (250, 240, 226),
    (190, 140, 150),
)


def mix(a: Colour, b: Colour, share: float) -> Colour:
    """Return the colour at ``share`` of the way from ``a`` to ``b``."""
    return tuple(round(x + (y - x) * share) for x, y in zip(a, b, strict=True))  # type: ignore[return-value]


def shade(colour: Colour) -> Colour:
    """Return the colour in the figure's own shadow: darker and a little colder."""
    return mix(colour, (70, 60, 110), 0.24)


def line(colour: Colour) -> Colour:
    """Return the colour of the contour around a surface of this colour."""
    return mix(colour, INK, 0.74)


def muted(colour: Colour) -> Colour:
    """Return the nearest colour of the same brightness whose saturation is at most ``MAX_SATURATION``."""
    high, low = max(colour), min(colour)
    floor = high * (1.0 - MAX_SATURATION)
    if low >= floor:
        return colour
    share = (high - floor) / (high - low)
    return tuple(round(high - (high - x) * share) for x in colour)  # type: ignore[return-value]


def marker_colours(count: int) -> tuple[Colour, ...]:
    """One colour for each of ``count`` joints: full saturation, hues evenly spaced.

    Joints that follow each other, which are near each other in the body, get hues that are far apart.
    """
    stride = next(s for s in range(round(count * 0.382), count + 1) if _coprime(s, count))
    hues = [(j * stride) % count / count for j in range(count)]
    return tuple(tuple(round(255 * c) for c in colorsys.hsv_to_rgb(h, 1.0, 1.0)) for h in hues)  # type: ignore[misc]


def garment_digits(identity: int) -> tuple[int, int, int]:
    """Return the garment colours, as places in ``GARMENTS``: the inverse of :func:`identity_of`.

    The identity number is spread by a fixed bijection (multiplication modulo ``NUM_CODES``), so that
    identities with neighbouring numbers look different.
    """
    code = identity * _SPREAD % NUM_CODES
    base = len(GARMENTS)
    return code // base**2, code // base % base, code % base


def identity_of(digits: tuple[int, int, int]) -> int:
    """Return the identity, in [0, ``NUM_CODES``), whose garments have these colours."""
    base = len(GARMENTS)
    code = (digits[0] * base + digits[1]) * base + digits[2]
    return code * pow(_SPREAD, -1, NUM_CODES) % NUM_CODES


_SPREAD = 387


def _coprime(a: int, b: int) -> bool:
    while b:
        a, b = b, a % b
    return a == 1
