"""Scenes under the sky."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from animate.data.synthetic.palette import WHITE, Colour, mix
from animate.data.synthetic.scene import SceneBuilder
from animate.data.synthetic.scenery import CLOTH, FLOOR, LEFT, LOW, RIGHT, ridge
from animate.data.synthetic.shapes import box, capsule, ellipse

if TYPE_CHECKING:
    from animate.data.synthetic.chance import Chance


def meadow(chance: Chance) -> SceneBuilder:
    """Draw hills with trees and flowers."""
    sky = chance.pick(((150, 196, 226), (246, 206, 172), (176, 206, 214), (196, 190, 226)))
    b = SceneBuilder(sky, mix(sky, WHITE, 0.7))
    b.add(
        ellipse((chance.uniform(-0.9, 0.9), chance.uniform(-0.85, -0.5)), 0.17, 0.17), (252, 236, 178), 0.05
    )
    for _ in range(2 + chance.integer(3)):
        _cloud(b, chance, mix(sky, WHITE, 0.85))
    grass = chance.pick(((140, 186, 112), (176, 190, 112), (112, 172, 130)))
    for k, nearness in enumerate((0.25, 0.45)):
        b.add(ridge(chance, 0.08 + 0.2 * k, 0.14), mix(grass, mix(sky, WHITE, 0.3), 0.6 - 0.3 * k), nearness)
    for _ in range(1 + chance.integer(4)):
        _tree(
            b,
            chance,
            chance.uniform(LEFT, RIGHT),
            chance.uniform(0.45, 0.6),
            chance.uniform(0.4, 0.85),
            0.7,
        )
    b.add(ridge(chance, 0.55, 0.04), grass, 0.8)
    for _ in range(14):
        x, y = chance.uniform(LEFT, RIGHT), chance.uniform(0.66, 1.05)
        if chance.happens(0.5):
            b.add(
                np.array(
                    [(x - 0.03, y), (x - 0.035, y - 0.07), (x, y - 0.02), (x + 0.02, y - 0.09), (x + 0.03, y)]
                ),
                mix(grass, (50, 80, 60), 0.3),
                0.9,
            )
        else:
            b.add(
                ellipse((x, y), 0.022, 0.022, corners=8),
                chance.pick(((250, 244, 230), (240, 190, 130), (226, 150, 170))),
                0.9,
            )
    return b


def _cloud(b: SceneBuilder, chance: Chance, colour: Colour) -> None:
    x, y, s = chance.uniform(LEFT, RIGHT), chance.uniform(-0.95, -0.35), chance.uniform(0.10, 0.2)
    drift = (chance.uniform(-0.12, 0.12), 0.0)
    for dx, dy, r in ((-0.8, 0.15, 0.6), (0.0, -0.15, 0.85), (0.85, 0.1, 0.65), (0.1, 0.3, 0.8)):
        b.add(ellipse((x + dx * s, y + dy * s), 1.1 * r * s, 0.8 * r * s), colour, 0.15, drift)


def _tree(b: SceneBuilder, chance: Chance, x: float, y: float, s: float, nearness: float) -> None:
    leaf = chance.pick(((116, 160, 104), (92, 142, 112), (150, 170, 96), (206, 150, 96), (196, 146, 160)))
    b.add(capsule((x, y), (x, y - 0.7 * s), 0.07 * s, 0.05 * s), (124, 94, 78), nearness)
    for dx, dy, r, light in (
        (-0.2, -0.75, 0.30, 0.0),
        (0.22, -0.75, 0.28, 0.0),
        (0.0, -1.0, 0.34, 0.0),
        (-0.06, -1.03, 0.24, 0.18),
    ):
        b.add(ellipse((x + dx * s, y + dy * s), r * s, r * s), mix(leaf, WHITE, light), nearness)


def town(chance: Chance) -> SceneBuilder:
    """Draw two rows of houses on a street."""
    sky = chance.pick(((176, 206, 226), (240, 198, 176), (104, 112, 156)))
    b = SceneBuilder(sky, mix(sky, WHITE, 0.6))
    for _ in range(2):
        _cloud(b, chance, mix(sky, WHITE, 0.6))
    for row, nearness in enumerate((0.3, 0.6)):
        x = LEFT
        while x < RIGHT:
            width, top = chance.uniform(0.28, 0.5), chance.uniform(-0.65, 0.0) + 0.25 * row
            _house(
                b,
                chance,
                (x, top),
                width,
                mix(chance.pick(CLOTH), mix(sky, WHITE, 0.4), 0.5 - 0.35 * row),
                nearness,
            )
            x += width + chance.uniform(0.0, 0.05)
    b.add(box(LEFT, FLOOR - 0.04, RIGHT, LOW), (186, 182, 180), 0.8)
    b.add(box(LEFT, FLOOR + 0.02, RIGHT, LOW), (150, 148, 156), 0.85)
    for x in np.arange(LEFT, RIGHT, 0.4):
        b.add(box(x, 0.93, x + 0.2, 0.955), (226, 222, 210), 0.9)
    return b


def _house(
    b: SceneBuilder,
    chance: Chance,
    corner: tuple[float, float],
    width: float,
    colour: Colour,
    nearness: float,
) -> None:
    x, top = corner
    b.add(box(x, top, x + width, FLOOR), colour, nearness)
    if chance.happens(0.5):
        b.add(
            np.array([(x - 0.02, top), (x + width / 2, top - 0.16), (x + width + 0.02, top)]),
            mix(colour, (110, 60, 60), 0.5),
            nearness,
        )
    lit, glass = mix(colour, (255, 240, 190), 0.75), mix(colour, (60, 66, 96), 0.5)
    columns = 2 + chance.integer(2)
    for i in range(columns):
        wx = x + width * (i + 0.5) / columns
        for wy in np.arange(top + 0.08, FLOOR - 0.12, 0.17):
            b.add(
                box(wx - 0.035, wy, wx + 0.035, wy + 0.085), lit if chance.happens(0.3) else glass, nearness
            )


def beach(chance: Chance) -> SceneBuilder:
    """Draw a beach with waves."""
    sky = chance.pick(((150, 206, 226), (248, 206, 166), (204, 190, 222)))
    b = SceneBuilder(sky, mix(sky, WHITE, 0.6))
    horizon = chance.uniform(0.0, 0.2)
    b.add(
        ellipse((chance.uniform(-0.8, 0.8), horizon - chance.uniform(0.1, 0.6)), 0.2, 0.2),
        (252, 232, 180),
        0.05,
    )
    for _ in range(2):
        _cloud(b, chance, mix(sky, WHITE, 0.8))
    sea = chance.pick(((98, 168, 184), (104, 150, 190), (120, 180, 170)))
    for k in range(4):
        y = horizon + 0.08 * k * (1 + 0.3 * k)
        x = np.linspace(LEFT, RIGHT, 60)
        crest = y + 0.012 * (k + 1) * np.sin(x * (22 - 4 * k) + chance.uniform(0, 6))
        band = np.concatenate([np.stack([x, crest], axis=1), [[RIGHT, LOW], [LEFT, LOW]]])
        b.add(band, mix(sea, WHITE, 0.12 * k), 0.3 + 0.1 * k, (0.05 * (-1) ** k, 0.0))
    sand = (232, 210, 166)
    b.add(ridge(chance, FLOOR - 0.05, 0.025) - [0.0, 0.015], mix(sea, WHITE, 0.8), 0.8)
    b.add(ridge(chance, FLOOR - 0.02, 0.025), sand, 0.8)
    for _ in range(12):
        b.add(
            ellipse((chance.uniform(LEFT, RIGHT), chance.uniform(0.72, 1.05)), 0.03, 0.012, corners=8),
            mix(sand, (170, 130, 96), 0.35),
            0.9,
        )
    if chance.happens(0.7):
        _umbrella(b, chance)
    return b


def _umbrella(b: SceneBuilder, chance: Chance) -> None:
    x, y, cloth = chance.sign() * chance.uniform(0.55, 0.95), 0.7, chance.pick(CLOTH)
    b.add(capsule((x, y), (x + 0.05, y - 0.75), 0.014, 0.014, corners=3), (240, 234, 220), 0.8)
    for k in range(6):
        a0, a1 = math.pi * (1 + k / 6), math.pi * (1 + (k + 1) / 6)
        wedge = [
            (x + 0.05 + 0.4 * math.cos(a), y - 0.6 + 0.28 * math.sin(a)) for a in (a0, (a0 + a1) / 2, a1)
        ]
        b.add(np.array([(x + 0.05, y - 0.88), *wedge]), cloth if k % 2 else mix(cloth, WHITE, 0.75), 0.8)


def winter(chance: Chance) -> SceneBuilder:
    """Draw snow, peaks and firs."""
    sky = chance.pick(((74, 84, 130), (96, 88, 138), (150, 176, 206), (70, 104, 130)))
    b = SceneBuilder(sky, mix(sky, (220, 190, 200), 0.5))
    b.add(
        ellipse((chance.uniform(-0.8, 0.8), chance.uniform(-0.85, -0.5)), 0.13, 0.13), (246, 240, 216), 0.05
    )
    for k in range(2):
        peaks = np.linspace(LEFT, RIGHT, 9)
        summits = [(x, 0.15 * k - chance.uniform(0.0, 0.4) * (i % 2) + 0.1) for i, x in enumerate(peaks)]
        b.add(np.array([*summits, (RIGHT, LOW), (LEFT, LOW)]), mix(sky, WHITE, 0.25 + 0.2 * k), 0.2 + 0.1 * k)
    b.add(ridge(chance, 0.38, 0.07), mix(sky, WHITE, 0.7), 0.5)
    for _ in range(2 + chance.integer(4)):
        x, y, s = chance.uniform(LEFT, RIGHT), chance.uniform(0.5, 0.62), chance.uniform(0.3, 0.65)
        for k in range(3):
            w, t = (0.34 - 0.08 * k) * s, y - (0.15 + 0.32 * k) * s
            b.add(
                np.array([(x - w, t), (x + w, t), (x, t - 0.5 * s)]),
                mix((82, 124, 116), WHITE, 0.08 * k),
                0.7,
            )
            b.add(
                np.array([(x - 0.4 * w, t - 0.3 * s), (x + 0.4 * w, t - 0.3 * s), (x, t - 0.5 * s)]),
                (236, 240, 246),
                0.7,
            )
    b.add(ridge(chance, FLOOR - 0.05, 0.03), (232, 236, 246), 0.8)
    for _ in range(26):
        r = chance.uniform(0.008, 0.02)
        b.add(
            ellipse((chance.uniform(LEFT, RIGHT), chance.uniform(-1.0, 1.0)), r, r, corners=8),
            (248, 250, 252),
            1.0,
            (0.06, 0.1),
        )
    return b
