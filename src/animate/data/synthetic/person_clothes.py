"""A person's torso and what is worn on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from animate.data.synthetic.palette import (
    INK,
    WHITE,
    Colour,
    mix,
)
from animate.data.synthetic.rig import RigBuilder, Skin, between
from animate.data.synthetic.shapes import box, capsule, ellipse, mirrored, smooth

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from animate.data.synthetic.chance import Chance
    from animate.data.synthetic.person_body import Build

    Curve = NDArray[np.float64]


def add_torso(rig: RigBuilder, b: Build, look: Chance, shirt: Colour, trousers: Colour, skin: Colour) -> None:
    """Add neck, trunk and hips, with a shirt of some pattern."""
    top, low = b.neck_y, b.hip_y + 0.03
    spine = between("chest", "hips", 1, b.hip_y - 0.6 * b.torso, b.hip_y - 0.05)
    waist = 0.5 * (b.shoulder + b.hip) + look.uniform(-0.02, 0.035)
    neck = capsule((0.0, top - 0.05), (0.0, top + 0.03), 0.05, 0.06)
    trunk = smooth(
        mirrored([(0.0, top - 0.005), (b.shoulder * 0.7, top + 0.01), (b.shoulder + 0.045, top + 0.07),
                  (waist + 0.045, 0.5 * (top + low)), (b.hip + b.leg_width, low), (0.0, low + 0.025)])
    )  # fmt: skip
    rig.model([(neck, skin, "chest", "neck")])
    pelvis = smooth(
        mirrored(
            [
                (0.0, low - 0.12),
                (b.hip + b.leg_width, low - 0.1),
                (b.hip + b.leg_width, low + 0.04),
                (0.0, low + 0.09),
            ]
        )
    )
    rig.model([(pelvis, trousers, "hips", "torso")])
    rig.model([(trunk, shirt, spine, "torso")])
    pattern = look.integer(5)
    if pattern == 0:
        _add_stripes(rig, b, waist, shirt, spine)
    elif pattern == 1:
        _add_buttons(rig, b, shirt, spine)
    elif pattern == 2:
        _add_emblem(rig, b, look, shirt, spine)
    elif pattern == 3:
        bib = smooth([(-0.09, top + 0.16), (0.09, top + 0.16), (0.11, low), (-0.11, low)])
        rig.paint(bib, mix(shirt, WHITE, 0.3), spine, "torso")
    collar = smooth([(-0.085, top - 0.005), (0.085, top - 0.005), (0.0, top + 0.075)])
    rig.paint(collar, mix(shirt, INK, 0.35), "chest", "torso")
    rig.paint(collar * [0.72, 1.0] + [0.0, -0.016], skin, "chest", "neck")


def _add_stripes(rig: RigBuilder, b: Build, waist: float, shirt: Colour, spine: Skin) -> None:
    for k in range(3):
        y = b.neck_y + 0.15 + 0.115 * k
        half = 0.5 * (waist + b.shoulder)
        rig.paint(box(-half, y, half, y + 0.042), mix(shirt, WHITE, 0.42), spine, "torso")


def _add_buttons(rig: RigBuilder, b: Build, shirt: Colour, spine: Skin) -> None:
    rig.paint(box(-0.006, b.neck_y + 0.07, 0.006, b.hip_y + 0.03), mix(shirt, INK, 0.4), spine, "torso")
    for k in range(3):
        spot = ellipse((0.032, b.neck_y + 0.14 + 0.11 * k), 0.016, 0.016, corners=10)
        rig.paint(spot, mix(shirt, WHITE, 0.7), spine, "torso")


def _add_emblem(rig: RigBuilder, b: Build, look: Chance, shirt: Colour, spine: Skin) -> None:
    centre = (0.0, b.neck_y + 0.22)
    light = mix(shirt, WHITE, 0.5)
    if look.happens(0.5):
        rig.paint(ellipse(centre, 0.075, 0.075), light, spine, "torso")
        return
    angles = np.arange(10) * np.pi / 5 - np.pi / 2
    radii = np.where(np.arange(10) % 2 == 0, 0.095, 0.042)
    star = np.stack([centre[0] + radii * np.cos(angles), centre[1] + radii * np.sin(angles)], axis=1)
    rig.paint(star, light, spine, "torso")


def add_skirt(rig: RigBuilder, b: Build, cloth: Colour) -> None:
    """Add a skirt, of the trousers' colour, that swings."""
    waist, hem = b.hip_y - 0.05, b.hip_y + 0.60 * b.thigh
    top, wide = b.hip + 0.7 * b.leg_width, b.hip + b.leg_width + 0.10
    swing = between("hips", "skirt", 1, waist, hem)
    skirt = smooth(
        mirrored(
            [(0.0, waist - 0.01), (top, waist), (wide, hem - 0.02), (0.5 * wide, hem + 0.02), (0.0, hem)]
        )
    )
    rig.model([(skirt, cloth, swing, "skirt")])
    for x in (-0.45, 0.0, 0.45):
        fold = np.array(
            [
                (x * top, waist + 0.08),
                (x * wide * 1.2 + 0.012, hem - 0.01),
                (x * wide * 1.2 - 0.012, hem - 0.01),
            ]
        )
        rig.paint(fold, mix(cloth, INK, 0.25), swing, "skirt")
