"""Scenes with walls."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from animate.data.synthetic.palette import WHITE, Colour, mix
from animate.data.synthetic.scene import MARGIN, SceneBuilder
from animate.data.synthetic.scenery import CLOTH, FLOOR, LEFT, LOW, RIGHT, WALLS
from animate.data.synthetic.shapes import box, capsule, ellipse, smooth

if TYPE_CHECKING:
    from animate.data.synthetic.chance import Chance


def room(chance: Chance) -> SceneBuilder:
    """Draw a room with a window, pictures and furniture."""
    wall, wood = (
        chance.pick(WALLS),
        chance.pick(((196, 152, 112), (166, 124, 98), (214, 186, 150), (150, 140, 140))),
    )
    b = SceneBuilder(mix(wall, WHITE, 0.2), wall)
    _wallpaper(b, chance, wall)
    b.add(box(LEFT, FLOOR, RIGHT, LOW), wood, 0.8)
    for k in range(5):
        y = FLOOR + 0.02 + 0.03 * k * (k + 2) / 2
        b.add(box(LEFT, y, RIGHT, y + 0.012), mix(wood, (60, 44, 50), 0.25), 0.8)
    b.add(box(LEFT, FLOOR - 0.05, RIGHT, FLOOR + 0.008), mix(wall, WHITE, 0.6), 0.8)
    x = chance.uniform(-0.85, 0.85)
    _window(b, chance, x)
    _picture(b, chance, x + (0.95 if x < 0 else -0.95) + chance.uniform(-0.1, 0.1))
    if chance.happens(0.6):
        _sofa(b, chance)
    if chance.happens(0.6):
        _plant(b, chance)
    if chance.happens(0.6):
        rug = chance.pick(CLOTH)
        b.add(ellipse((0.0, 0.88), 0.85, 0.13, corners=30), rug, 0.85)
        b.add(ellipse((0.0, 0.88), 0.72, 0.095, corners=30), mix(rug, WHITE, 0.4), 0.85)
        b.add(ellipse((0.0, 0.88), 0.6, 0.07, corners=30), rug, 0.85)
    return b


def _wallpaper(b: SceneBuilder, chance: Chance, wall: Colour) -> None:
    tone = mix(wall, chance.pick(CLOTH), chance.uniform(0.25, 0.6))
    choice = chance.integer(4)
    step = chance.uniform(0.16, 0.34)
    if choice == 0:
        for x in np.arange(LEFT, RIGHT, step):
            b.add(box(x, -1.0 - MARGIN, x + 0.45 * step, FLOOR), tone, 0.6)
    elif choice == 1:
        for i, y in enumerate(np.arange(-1.0 - MARGIN, FLOOR, step)):
            for x in np.arange(LEFT + (i % 2) * step / 2, RIGHT, step):
                b.add(ellipse((x, y), 0.14 * step, 0.14 * step, corners=10), tone, 0.6)
    elif choice == 2:
        for i, y in enumerate(np.arange(-1.0 - MARGIN, FLOOR, 0.15)):
            b.add(box(LEFT, y, RIGHT, y + 0.014), tone, 0.6)
            for x in np.arange(LEFT + (i % 2) * 0.15, RIGHT, 0.3):
                b.add(box(x, y, x + 0.014, min(y + 0.15, FLOOR)), tone, 0.6)


def _window(b: SceneBuilder, chance: Chance, x: float) -> None:
    y, w, h = chance.uniform(-0.45, -0.25), chance.uniform(0.24, 0.34), chance.uniform(0.3, 0.42)
    sky = chance.pick(((170, 208, 230), (240, 204, 170), (92, 100, 140)))
    b.add(box(x - w - 0.04, y - h - 0.04, x + w + 0.04, y + h + 0.04), (246, 242, 236), 0.6)
    b.add(box(x - w, y - h, x + w, y + h), sky, 0.6)
    b.add(ellipse((x + 0.3 * w, y - 0.3 * h), 0.3 * w, 0.2 * w), mix(sky, WHITE, 0.6), 0.58)
    b.add(
        smooth(
            [(x - w, y + 0.35 * h), (x, y + 0.1 * h), (x + w, y + 0.45 * h), (x + w, y + h), (x - w, y + h)]
        ),
        (134, 172, 128),
        0.59,
    )
    b.add(box(x - 0.016, y - h, x + 0.016, y + h), (246, 242, 236), 0.6)
    b.add(box(x - w, y - 0.016, x + w, y + 0.016), (246, 242, 236), 0.6)
    curtain = chance.pick(CLOTH)
    for s in (-1.0, 1.0):
        edge = x + s * (w + 0.1)
        top, low = y - h - 0.1, y + h + 0.14
        fall = np.array(
            [
                (edge, top),
                (x + s * 0.5 * w, top),
                (x + s * 0.72 * w, y),
                (x + s * 0.95 * w, y + 0.6 * h),
                (x + s * 0.85 * w, low),
                (edge + s * 0.03, low),
            ]
        )
        b.add(fall, curtain, 0.62, (0.02, 0.0))
        for fold in (0.3, 0.65):
            at = edge + fold * (x + s * 0.8 * w - edge)
            b.add(box(at, top, at + 0.012, low - 0.02), mix(curtain, (60, 50, 80), 0.25), 0.62, (0.02, 0.0))
    rod = capsule((x - w - 0.16, y - h - 0.1), (x + w + 0.16, y - h - 0.1), 0.02, 0.02, corners=4)
    b.add(rod, (122, 92, 78), 0.62)


def _picture(b: SceneBuilder, chance: Chance, x: float) -> None:
    y, w, h = chance.uniform(-0.6, -0.3), chance.uniform(0.12, 0.22), chance.uniform(0.12, 0.2)
    b.add(box(x - w - 0.03, y - h - 0.03, x + w + 0.03, y + h + 0.03), (140, 104, 82), 0.6)
    b.add(box(x - w, y - h, x + w, y + h), chance.pick(WALLS), 0.6)
    b.add(ellipse((x, y), 0.5 * w, 0.5 * h), chance.pick(CLOTH), 0.6)
    b.add(
        np.array(
            [
                (x - w, y + h),
                (x - 0.2 * w, y),
                (x + 0.2 * w, y + 0.5 * h),
                (x + 0.5 * w, y + 0.1 * h),
                (x + w, y + h),
            ]
        ),
        chance.pick(CLOTH),
        0.6,
    )


def _sofa(b: SceneBuilder, chance: Chance) -> None:
    cloth, x = chance.pick(CLOTH), chance.uniform(-0.8, 0.8)
    dark = mix(cloth, (50, 46, 70), 0.25)
    b.add(smooth([(x - 0.42, 0.2), (x + 0.42, 0.2), (x + 0.46, 0.62), (x - 0.46, 0.62)]), dark, 0.75)
    b.add(smooth([(x - 0.44, 0.44), (x + 0.44, 0.44), (x + 0.46, 0.68), (x - 0.46, 0.68)]), cloth, 0.75)
    for s in (-1.0, 1.0):
        b.add(capsule((x + s * 0.48, 0.42), (x + s * 0.48, 0.66), 0.09, 0.09), mix(cloth, WHITE, 0.12), 0.75)


def _plant(b: SceneBuilder, chance: Chance) -> None:
    x, y = chance.sign() * chance.uniform(0.6, 1.0), FLOOR + 0.1
    leaf = chance.pick(((104, 154, 106), (90, 140, 120), (140, 164, 96)))
    for k in range(7):
        a = -math.pi / 2 + (k - 3) * 0.33
        tip = (x + 0.36 * math.cos(a), y - 0.2 + 0.42 * math.sin(a))
        b.add(
            ellipse(((x + tip[0]) / 2, (y - 0.2 + tip[1]) / 2), 0.21, 0.055, turn=a),
            mix(leaf, WHITE, 0.08 * (k % 3)),
            0.8,
            (0.01, 0.0),
        )
    b.add(
        np.array([(x - 0.12, y - 0.22), (x + 0.12, y - 0.22), (x + 0.085, y), (x - 0.085, y)]),
        chance.pick(CLOTH),
        0.8,
    )


def stage(chance: Chance) -> SceneBuilder:
    """Draw a stage with curtains and spotlights."""
    dark = chance.pick(((92, 80, 116), (70, 92, 112), (110, 76, 92)))
    b = SceneBuilder(dark, mix(dark, WHITE, 0.35))
    for x in (chance.uniform(-0.7, -0.2), chance.uniform(0.2, 0.7)):
        b.add(
            np.array([(x * 0.4 - 0.08, -1.5), (x * 0.4 + 0.08, -1.5), (x + 0.4, 0.8), (x - 0.4, 0.8)]),
            mix(dark, (255, 244, 210), 0.25),
            0.3,
            (0.12, 0.0),
        )
    cloth = chance.pick(((176, 84, 92), (96, 120, 176), (120, 150, 110), (168, 120, 176)))
    for s in (-1.0, 1.0):
        for k in range(4):
            x = s * (0.72 + 0.17 * k)
            b.add(
                capsule((x, -1.2), (x + s * 0.04, 0.66), 0.12, 0.10),
                mix(cloth, (40, 30, 60), 0.1 * (k % 2)),
                0.6,
                (0.015, 0.0),
            )
    for x in np.arange(LEFT, RIGHT, 0.25):
        b.add(ellipse((x, -1.0), 0.14, 0.16), mix(cloth, WHITE, 0.15), 0.6)
    boards = chance.pick(((190, 150, 112), (160, 124, 104)))
    b.add(box(LEFT, FLOOR, RIGHT, LOW), boards, 0.8)
    for k in range(-7, 8):
        b.add(
            np.array(
                [(0.12 * k, FLOOR), (0.12 * k + 0.008, FLOOR), (0.26 * k + 0.016, 1.4), (0.26 * k, 1.4)]
            ),
            mix(boards, (60, 40, 50), 0.3),
            0.8,
        )
    return b


def studio(chance: Chance) -> SceneBuilder:
    """Draw a plain backdrop, at most with the edge of a floor: what photographs of people often show."""
    wall = chance.pick(WALLS + CLOTH)
    b = SceneBuilder(mix(wall, WHITE, chance.uniform(0.0, 0.4)), wall)
    floor = mix(wall, chance.pick(WALLS), 0.5) if chance.happens(0.5) else wall
    b.add(box(LEFT, FLOOR, RIGHT, LOW), floor, 0.8)
    return b


def pattern(chance: Chance) -> SceneBuilder:
    """Draw an abstract backdrop: spots, stripes, checks or rays."""
    ground = chance.pick(WALLS + CLOTH)
    b = SceneBuilder(ground, mix(ground, chance.pick(CLOTH), 0.4))
    tones = [mix(ground, chance.pick(CLOTH), chance.uniform(0.4, 1.0)) for _ in range(3)]
    choice = chance.integer(4)
    if choice == 0:
        for _ in range(26):
            r = chance.uniform(0.05, 0.26)
            b.add(
                ellipse((chance.uniform(LEFT, RIGHT), chance.uniform(LEFT, RIGHT)), r, r, corners=24),
                chance.pick(tones),
                chance.uniform(0.3, 0.9),
                (0.05, 0.05),
            )
    elif choice == 1:
        slope, step = chance.uniform(-1.0, 1.0), chance.uniform(0.2, 0.45)
        for k, x in enumerate(np.arange(-4.0, 4.0, step)):
            b.add(
                np.array(
                    [
                        (x, -2.0),
                        (x + 0.5 * step, -2.0),
                        (x + 0.5 * step + 4 * slope, 2.0),
                        (x + 4 * slope, 2.0),
                    ]
                ),
                tones[k % 3],
                0.6,
            )
    elif choice == 2:
        step = chance.uniform(0.25, 0.5)
        for i, y in enumerate(np.arange(-1.5, 1.5, step)):
            for x in np.arange(-1.5 + (i % 2) * step, 1.5, 2 * step):
                b.add(box(x, y, x + step, y + step), tones[0], 0.6)
    else:
        for k in range(10):
            a = 2 * math.pi * k / 10
            b.add(
                np.array(
                    [
                        (0.0, -0.2),
                        (3 * math.cos(a), 3 * math.sin(a) - 0.2),
                        (3 * math.cos(a + 0.31), 3 * math.sin(a + 0.31) - 0.2),
                    ]
                ),
                tones[k % 2],
                0.4,
            )
    if chance.happens(0.6):
        floor = chance.pick(CLOTH)
        b.add(box(LEFT, FLOOR, RIGHT, LOW), mix(floor, WHITE, 0.35), 0.8)
        b.add(box(LEFT, FLOOR, RIGHT, FLOOR + 0.03), floor, 0.8)
    return b
