"""Scenes that are of nothing: what edges, repetitions and overlaps have in common in all others."""

from __future__ import annotations

import colorsys
import math
from typing import TYPE_CHECKING

import numpy as np

from animate.data.synthetic.palette import Colour, mix
from animate.data.synthetic.scene import SceneBuilder
from animate.data.synthetic.scenery import LEFT, LOW, RIGHT, ridge
from animate.data.synthetic.shapes import box, capsule, ellipse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from animate.data.synthetic.chance import Chance
    from animate.data.synthetic.shapes import Points

FAR = 3.0
"""Beyond every edge of the picture, whatever way round a shape is."""


def collage(chance: Chance) -> SceneBuilder:
    """Draw grounds, repetitions and single shapes of any colour over each other, at any angle."""
    tones = [_colour(chance) for _ in range(5)]
    b = SceneBuilder(tones[0], mix(tones[0], tones[1], chance.uniform(0.0, 0.6)))
    for layer in range(1 + chance.integer(3)):
        nearness = 0.25 + 0.2 * layer
        if not layer or chance.happens(0.5):
            _ground(b, chance, chance.pick(tones), nearness)
        if chance.happens(0.7):
            chance.pick((_bars, _lattice, _rays))(b, chance, tones, nearness)
        for _ in range(chance.integer(5)):
            b.add(_shape(chance), chance.pick(tones), nearness + 0.1)
    return b


def _colour(chance: Chance) -> Colour:
    rgb = colorsys.hsv_to_rgb(chance.uniform(0, 1), chance.uniform(0.0, 0.6), chance.uniform(0.25, 1.0))
    red, green, blue = (round(255 * value) for value in rgb)
    return red, green, blue


def _turned(points: Points, angle: float, centre: tuple[float, float]) -> Points:
    """Turn about the origin, then move."""
    c, s = math.cos(angle), math.sin(angle)
    turned: Points = points @ np.array([[c, s], [-s, c]]) + np.asarray(centre)
    return turned


def _angle(chance: Chance) -> float:
    """Upright or level mostly, as things stand and lie."""
    return 0.5 * math.pi * chance.integer(4) + (chance.uniform(-0.8, 0.8) if chance.happens(0.4) else 0.0)


def _ground(b: SceneBuilder, chance: Chance, tone: Colour, nearness: float) -> None:
    """Everything on one side of a line, or below hills."""
    if chance.happens(0.3):
        b.add(ridge(chance, chance.uniform(-0.5, 0.8), chance.uniform(0.02, 0.2)), tone, nearness)
        return
    at = (chance.uniform(-0.7, 0.7), chance.uniform(-0.7, 0.7))
    b.add(_turned(box(-FAR, 0.0, FAR, FAR), _angle(chance), at), tone, nearness)


def _bars(b: SceneBuilder, chance: Chance, tones: Sequence[Colour], nearness: float) -> None:
    """Draw stripes, over a band of the picture or all of it."""
    angle, step = _angle(chance), chance.uniform(0.08, 0.5)
    width, length = step * chance.uniform(0.1, 0.9), FAR if chance.happens(0.5) else chance.uniform(0.2, 0.9)
    pair, at = (
        (chance.pick(tones), chance.pick(tones)),
        (chance.uniform(-0.5, 0.5), chance.uniform(-0.5, 0.5)),
    )
    for k, x in enumerate(np.arange(-2.0, 2.0, step)):
        b.add(_turned(box(x, -length, x + width, length), angle, at), pair[k % 2], nearness)


def _lattice(b: SceneBuilder, chance: Chance, tones: Sequence[Colour], nearness: float) -> None:
    """Draw the same shape in rows and columns, shifted from row to row or not."""
    across, down, turn = chance.uniform(0.15, 0.5), chance.uniform(0.15, 0.5), _angle(chance)
    half, shift = (
        (across * chance.uniform(0.15, 0.5), down * chance.uniform(0.15, 0.5)),
        chance.pick((0.0, 0.5)),
    )
    round_ones, tone = chance.happens(0.4), chance.pick(tones)
    left, top = chance.uniform(LEFT, 0.0), chance.uniform(LEFT, 0.0)
    for i, y in enumerate(np.arange(top, LOW, down)):
        for x in np.arange(left + (i % 2) * shift * across, RIGHT, across):
            one = ellipse((0.0, 0.0), *half, corners=10) if round_ones else box(-half[0], -half[1], *half)
            b.add(_turned(one, turn, (float(x), float(y))), tone, nearness)


def _rays(b: SceneBuilder, chance: Chance, tones: Sequence[Colour], nearness: float) -> None:
    """Draw what meets in one point, in the picture or outside of it."""
    at, count = (chance.uniform(-1.5, 1.5), chance.uniform(-1.5, 1.5)), 6 + chance.integer(12)
    width, tone, reach = math.pi / count * chance.uniform(0.1, 0.9), chance.pick(tones), 2 * FAR
    for k in range(count):
        a = 2 * math.pi * k / count
        ends = [(reach * math.cos(a + side), reach * math.sin(a + side)) for side in (-width, width)]
        b.add(np.array([(0.0, 0.0), *ends]) + np.asarray(at), tone, nearness)


def _shape(chance: Chance) -> Points:
    at = (chance.uniform(LEFT, RIGHT), chance.uniform(LEFT, LOW))
    size = (chance.uniform(0.05, 0.6), chance.uniform(0.05, 0.6))
    choice = chance.integer(4)
    if choice == 0:
        return _turned(box(-size[0], -size[1], *size), _angle(chance), at)
    if choice == 1:
        return ellipse(at, *size, corners=24, turn=chance.uniform(0, math.pi))
    if choice == 2:
        peak = (chance.uniform(-1, 1) * size[0], -size[1])
        return _turned(np.array([(-size[0], size[1]), (size[0], size[1]), peak]), _angle(chance), at)
    end = (at[0] + chance.uniform(-1.5, 1.5), at[1] + chance.uniform(-1.5, 1.5))
    return capsule(at, end, 0.2 * size[0], 0.2 * size[1])
