"""An animal's head."""

from __future__ import annotations

from typing import TYPE_CHECKING

from animate.data.synthetic.palette import (
    INK,
    WHITE,
    Colour,
    mix,
)
from animate.data.synthetic.shapes import ellipse, smooth

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from animate.data.synthetic.animal_body import Frame
    from animate.data.synthetic.chance import Chance
    from animate.data.synthetic.rig import RigBuilder

    Curve = NDArray[np.float64]


def add_head(
    rig: RigBuilder, f: Frame, look: Chance, fur: Colour, light: Colour, sides: tuple[str, str]
) -> None:
    """Add the head, with both ears, eyes and the muzzle; ``sides`` are the near and the far side."""
    (x, y), r = f.head_at, f.head
    ears, near, far = look.integer(3), *sides
    _add_ear(rig, (x + 0.17 * r, y - 0.72 * r), r, far, ears, (mix(fur, INK, 0.15), light))
    skull = smooth(
        [
            (x - 0.95 * r, y + 0.05 * r),
            (x - 0.6 * r, y - 0.75 * r),
            (x + 0.15 * r, y - 0.95 * r),
            (x + 0.8 * r, y - 0.5 * r),
            (x + 0.85 * r, y + 0.35 * r),
            (x + 0.2 * r, y + 0.85 * r),
            (x - 0.65 * r, y + 0.7 * r),
        ]
    )
    rig.model([(skull, fur, "head", "head")])
    _add_muzzle(rig, f, light)
    if look.happens(0.35):
        patch = ellipse((x + 0.12 * r, y - 0.2 * r), 0.36 * r, 0.4 * r)
        rig.paint(patch, mix(fur, INK, 0.35), "head", "head")
    _add_mouth(rig, f, light)
    _add_eye(rig, (x + 0.60 * r, y - 0.20 * r), r, 0.82, far, fur)
    _add_eye(rig, (x + 0.10 * r, y - 0.20 * r), r, 1.0, near, fur)
    cheek = ellipse((x + 0.02 * r, y + 0.28 * r), 0.15 * r, 0.1 * r, corners=12)
    rig.paint(cheek, mix(fur, (236, 120, 120), 0.4), "head", "head")
    _add_ear(rig, (x - 0.45 * r, y - 0.72 * r), r, near, ears, (fur, light))


def _tip(f: Frame) -> tuple[float, float]:
    """Tell where the muzzle ends."""
    (x, y), r = f.head_at, f.head
    return x + (0.72 + 0.55 * f.snout) * r, y + 0.34 * r


def _add_muzzle(rig: RigBuilder, f: Frame, light: Colour) -> None:
    (x, y), r, (reach_x, drop) = f.head_at, f.head, _tip(f)
    muzzle = smooth(
        [
            (x + 0.1 * r, y + 0.05 * r),
            (reach_x - 0.1 * r, drop - 0.36 * r),
            (reach_x + 0.12 * r, drop),
            (reach_x - 0.12 * r, drop + 0.34 * r),
            (x + 0.2 * r, y + 0.78 * r),
            (x - 0.02 * r, y + 0.45 * r),
        ]
    )
    rig.model([(muzzle, light, "head", "muzzle")])


def _add_mouth(rig: RigBuilder, f: Frame, light: Colour) -> None:
    """Add the smile and the nose."""
    x, r, (reach_x, drop) = f.head_at[0], f.head, _tip(f)
    corner, middle = (x + 0.4 * r, drop + 0.1 * r), (x + 0.7 * r, drop + 0.3 * r)
    front = (reach_x - 0.12 * r, drop + 0.12 * r)
    smile = smooth([corner, middle, front, (middle[0], middle[1] - 0.06 * r)])
    rig.paint(smile, mix(light, INK, 0.75), "head", "muzzle")
    nose = (reach_x + 0.02 * r, drop - 0.2 * r)
    rig.paint(ellipse(nose, 0.2 * r, 0.16 * r, corners=16), (62, 50, 62), "head", "nose")
    shine = ellipse((nose[0] - 0.05 * r, nose[1] - 0.05 * r), 0.05 * r, 0.035 * r, corners=8)
    rig.paint(shine, (190, 180, 190), "head", "nose")
    rig.joint("nose", "head", nose)


def _add_eye(
    rig: RigBuilder, eye: tuple[float, float], r: float, size: float, side: str, fur: Colour
) -> None:
    x, y = eye
    rim = ellipse(eye, 0.20 * size * r, 0.255 * size * r, corners=18)
    white = ellipse(eye, 0.165 * size * r, 0.22 * size * r, corners=18)
    pupil = ellipse((x + 0.035 * r, y + 0.01 * r), 0.105 * size * r, 0.15 * size * r, corners=14)
    shine = ellipse((x + 0.07 * r, y - 0.06 * r), 0.04 * r, 0.045 * r, corners=8)
    for outline, colour in ((rim, mix(fur, INK, 0.8)), (white, WHITE), (pupil, INK), (shine, WHITE)):
        rig.paint(outline, colour, "head", "eye")
    rig.joint(f"{side}_eye", "head", eye)


def _add_ear(
    rig: RigBuilder, root: tuple[float, float], r: float, side: str, style: int, furs: tuple[Colour, Colour]
) -> None:
    x, y = root
    inner = mix(furs[1], (226, 140, 140), 0.4)
    if style == 0:  # pointed
        outline = smooth(
            [
                (x - 0.3 * r, y + 0.18 * r),
                (x - 0.22 * r, y - 0.55 * r),
                (x - 0.05 * r, y - 0.75 * r),
                (x + 0.2 * r, y - 0.4 * r),
                (x + 0.3 * r, y + 0.1 * r),
            ]
        )
        lining, tip = (
            ellipse((x - 0.02 * r, y - 0.2 * r), 0.12 * r, 0.3 * r, corners=14, turn=-0.1),
            (x - 0.03 * r, y - 0.42 * r),
        )
    elif style == 1:  # round
        outline = ellipse((x, y - 0.2 * r), 0.36 * r, 0.36 * r)
        lining, tip = ellipse((x, y - 0.18 * r), 0.2 * r, 0.2 * r, corners=16), (x, y - 0.22 * r)
    else:  # hanging
        outline = smooth(
            [
                (x + 0.15 * r, y - 0.05 * r),
                (x - 0.3 * r, y - 0.15 * r),
                (x - 0.6 * r, y + 0.5 * r),
                (x - 0.4 * r, y + 0.95 * r),
                (x - 0.1 * r, y + 0.6 * r),
            ]
        )
        lining, tip = (
            ellipse((x - 0.36 * r, y + 0.5 * r), 0.11 * r, 0.25 * r, corners=14),
            (x - 0.36 * r, y + 0.55 * r),
        )
    rig.model([(outline, furs[0], f"{side}_ear", "ear")])
    rig.paint(lining, inner, f"{side}_ear", "ear")
    rig.joint(f"{side}_ear", f"{side}_ear", tip)
