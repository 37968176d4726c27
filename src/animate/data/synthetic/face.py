"""A portrait: head and shoulders, turning, speaking, looking around and blinking."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from animate.data.synthetic.face_acting import SIDES, act
from animate.data.synthetic.figure import Figure, posed
from animate.data.synthetic.heads import (
    add_beanie,
    add_long_hair,
    add_short_hair,
    placed,
)
from animate.data.synthetic.palette import (
    GARMENTS,
    HAIRS,
    INK,
    SKINS,
    WHITE,
    Colour,
    garment_digits,
    mix,
)
from animate.data.synthetic.rig import Rig, RigBuilder, between
from animate.data.synthetic.shapes import box, capsule, ellipse, mirrored, smooth
from animate.layouts import PUPPET_FACE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from animate.data.synthetic.chance import Chance

    Curve = NDArray[np.float64]


_HEAD = (0.0, -0.03)


def draw_face(identity: int, look: Chance, motion: Chance, times: Curve, keep: slice) -> Figure:
    """Draw a portrait of this identity in motion; ``times`` in seconds, of which ``keep`` are kept."""
    radius = look.uniform(0.44, 0.53)
    rig = _sculpt(radius, identity, look)
    pose = act(rig, radius, motion, times)
    return posed(pose, keep, np.zeros((len(times), 5)), flip=False)


def _sculpt(r: float, identity: int, look: Chance) -> Rig:
    shirt, scarf, hat = (GARMENTS[d] for d in garment_digits(identity))
    skin, hair = look.pick(SKINS), look.pick(HAIRS)
    rig = RigBuilder()
    _add_bones(rig, r)
    rig.layer("behind")
    if look.happens(0.6):
        add_long_hair(rig, look, _HEAD, r, hair)
    _add_bust(rig, r, look, shirt, scarf, skin)
    rig.layer("head")
    _add_skull(rig, r, look, skin)
    _add_eyes(rig, r, look, skin, hair)
    _add_mouth(rig, r, look, skin)
    _add_nose(rig, r, look, skin)
    add_short_hair(rig, look, _HEAD, r, hair)
    add_beanie(rig, (_HEAD[0], _HEAD[1] - 0.09 * r), r, hat, mix(hat, WHITE, 0.3))
    return rig.build_with(PUPPET_FACE.points)


def _add_bones(rig: RigBuilder, r: float) -> None:
    x, y = _HEAD
    rig.bone("bust", None, (0.0, 1.1))
    rig.bone("neck", "bust", (0.0, y + 1.15 * r))
    rig.bone("head", "neck", (x, y + 0.55 * r))
    rig.bone("skull", "head", (x, y))
    rig.bone("hair", "skull", _HEAD, depth=-0.2, spring=1.7)
    rig.bone("bobble", "skull", (x, y - 1.3 * r), spring=2.4)
    rig.bone("jaw", "skull", (x, y + 0.2 * r))
    for side, sign in SIDES:
        rig.bone(f"{side}_eye", "head", (sign * 0.37 * r, y + 0.02 * r), depth=0.62 * r)
        rig.bone(f"{side}_iris", f"{side}_eye", (sign * 0.37 * r, y + 0.02 * r), depth=0.64 * r)
        rig.bone(f"{side}_brow", "head", (sign * 0.38 * r, y - 0.34 * r), depth=0.66 * r)
        rig.bone(f"mouth_{side}", "head", (sign * 0.27 * r, y + 0.62 * r), depth=0.62 * r)
    rig.bone("mouth_top", "head", (x, y + 0.58 * r), depth=0.68 * r)
    rig.bone("mouth_bottom", "head", (x, y + 0.66 * r), depth=0.68 * r)


def _add_bust(rig: RigBuilder, r: float, look: Chance, shirt: Colour, scarf: Colour, skin: Colour) -> None:
    neck_y = _HEAD[1] + 1.15 * r
    wide = look.uniform(0.62, 0.82)
    rig.layer("bust")
    body = smooth(
        mirrored(
            [
                (0.0, neck_y + 0.02),
                (0.3, neck_y + 0.08),
                (wide, neck_y + 0.26),
                (wide + 0.12, 1.5),
                (0.0, 1.6),
            ]
        )
    )
    rig.model([(body, shirt, "bust", "torso")])
    _add_pattern(rig, wide, neck_y, look, mix(shirt, WHITE, 0.4))
    for side, sign in SIDES:
        rig.joint(f"{side}_shoulder", "bust", (sign * (wide - 0.08), neck_y + 0.30))
    throat = capsule((0.0, neck_y - 0.15), (0.0, neck_y + 0.05), 0.2, 0.22)
    rig.model([(throat, skin, between("neck", "bust", 1, neck_y - 0.1, neck_y + 0.1), "neck")])
    _add_scarf(rig, neck_y, scarf)
    rig.joint("neck", "bust", (0.0, neck_y + 0.12))


def _add_pattern(rig: RigBuilder, wide: float, neck_y: float, look: Chance, light: Colour) -> None:
    """Add stripes, dots or nothing to the shirt."""
    pattern = look.integer(3)
    if pattern == 0:
        for k in range(3):
            stripe = box(-wide + 0.02, neck_y + 0.34 + 0.14 * k, wide - 0.02, neck_y + 0.39 + 0.14 * k)
            rig.paint(stripe, light, "bust", "torso")
    elif pattern == 1:
        for k in range(7):
            dot = ellipse((-0.6 + 0.2 * k, neck_y + 0.36 + 0.12 * (k % 2)), 0.04, 0.04, corners=10)
            rig.paint(dot, light, "bust", "torso")


def _add_scarf(rig: RigBuilder, neck_y: float, scarf: Colour) -> None:
    loop = smooth(
        mirrored(
            [
                (0.0, neck_y + 0.02),
                (0.3, neck_y - 0.04),
                (0.37, neck_y + 0.07),
                (0.26, neck_y + 0.17),
                (0.0, neck_y + 0.22),
            ]
        )
    )
    end = smooth([(0.1, neck_y + 0.12), (0.25, neck_y + 0.1), (0.33, neck_y + 0.45), (0.14, neck_y + 0.48)])
    rig.model([(end, scarf, "bust", "scarf"), (loop, scarf, "bust", "scarf")])
    for k in range(3):
        top, bottom = (0.17 + 0.05 * k, neck_y + 0.4), (0.18 + 0.05 * k, neck_y + 0.46)
        fringe = capsule(top, bottom, 0.012, 0.012, corners=3)
        rig.paint(fringe, mix(scarf, WHITE, 0.5), "bust", "scarf")


def _add_skull(rig: RigBuilder, r: float, look: Chance, skin: Colour) -> None:
    x, y = _HEAD
    for side, sign in SIDES:
        ear = ellipse((sign * 0.96 * r, y + 0.12 * r), 0.17 * r, 0.24 * r, corners=16)
        rig.model([(ear, skin, "skull", "head")], depth=-0.05 * r)
        rig.paint(
            ellipse((sign * 0.98 * r, y + 0.12 * r), 0.08 * r, 0.13 * r, corners=12),
            mix(skin, (150, 70, 70), 0.35),
            "skull",
            "head",
            depth=-0.05 * r,
        )
        rig.joint(
            f"{side}_ear", "skull", (sign * 1.0 * r, y + 0.28 * r), depth=-0.05 * r, facing=(sign, 0.0, 0.3)
        )
    jaw, chin, cheek = look.uniform(0.50, 0.78), look.uniform(1.0, 1.1), look.uniform(0.9, 1.0)
    half = [(0.0, -1.0), (0.62, -0.80), (0.93, -0.25), (cheek, 0.25), (jaw, 0.80), (0.0, chin)]
    speaks = between("skull", "jaw", 1, y + 0.25 * r, y + 0.85 * r)
    rig.model([(placed(mirrored(half), _HEAD, r), skin, speaks, "head")])
    blush = mix(skin, (230, 110, 110), 0.32)
    for sign in (-1.0, 1.0):
        rig.paint(
            ellipse((sign * 0.56 * r, y + 0.38 * r), 0.16 * r, 0.10 * r, corners=14),
            blush,
            "head",
            "head",
            depth=0.5 * r,
        )
    if look.happens(0.3):
        for k in range(6):
            spot = (
                x + (k % 3 - 1) * 0.09 * r + (0.5 if k > 2 else -0.5) * r,
                y + (0.32 + 0.05 * (k % 2)) * r,
            )
            rig.paint(
                ellipse(spot, 0.018 * r, 0.018 * r, corners=6),
                mix(skin, (130, 70, 50), 0.5),
                "head",
                "head",
                depth=0.55 * r,
            )
    rig.joint("chin", "jaw", (0.0, y + (chin - 0.11) * r), depth=0.5 * r)


def _add_eyes(rig: RigBuilder, r: float, look: Chance, skin: Colour, hair: Colour) -> None:
    y = _HEAD[1] + 0.02 * r
    iris = look.pick(((96, 128, 160), (110, 140, 96), (120, 86, 66), (140, 110, 150), (80, 70, 76)))
    tall, glasses = look.uniform(0.19, 0.25), look.happens(0.3)
    brow, slant = mix(hair, INK, 0.4), look.uniform(-0.2, 0.2)
    for side, sign in SIDES:
        at, depth = (sign * 0.37 * r, y), 0.62 * r
        eye = f"{side}_eye"
        rig.paint(
            ellipse(at, 0.235 * r, (tall + 0.035) * r, corners=22),
            mix(skin, INK, 0.78),
            eye,
            "eye",
            depth=depth,
        )
        rig.paint(
            ellipse((at[0], at[1] + 0.015 * r), 0.205 * r, tall * r, corners=22),
            WHITE,
            eye,
            "eye",
            depth=depth,
        )
        ball = f"{side}_iris"
        rig.paint(
            ellipse(at, 0.125 * r, 0.145 * r, corners=18), mix(iris, INK, 0.35), ball, "eye", depth=depth
        )
        rig.paint(
            ellipse((at[0], at[1] + 0.02 * r), 0.10 * r, 0.115 * r, corners=16),
            iris,
            ball,
            "eye",
            depth=depth,
        )
        rig.paint(ellipse(at, 0.06 * r, 0.07 * r, corners=12), INK, ball, "eye", depth=depth)
        rig.paint(
            ellipse((at[0] + 0.05 * r, at[1] - 0.06 * r), 0.032 * r, 0.036 * r, corners=8),
            WHITE,
            ball,
            "eye",
            depth=depth,
        )
        rig.joint(eye, ball, at, depth=depth, facing=(sign * 0.35, 0.0, 0.93))
        inner, outer = (sign * 0.19 * r, y - 0.36 * r), (sign * 0.57 * r, y - (0.36 + slant * 0.3) * r)
        middle = (sign * 0.40 * r, y - 0.45 * r)
        arch = smooth([inner, (middle[0], middle[1] - 0.05 * r), outer, (middle[0], middle[1] + 0.04 * r)])
        rig.paint(arch, brow, f"{side}_brow", "brow", depth=0.66 * r)
        rig.joint(f"{side}_brow_inner", f"{side}_brow", inner, depth=0.66 * r)
        rig.joint(f"{side}_brow_outer", f"{side}_brow", outer, depth=0.60 * r, facing=(sign * 0.5, 0.0, 0.86))
        if glasses:
            _add_lens(rig, at, r, sign)


def _add_lens(rig: RigBuilder, at: tuple[float, float], r: float, sign: float) -> None:
    """Add a rim as a closed band (outer circle out, inner circle back), and half of the bridge."""
    outer, inner = (ellipse(at, a * r, a * r, corners=24) for a in (0.31, 0.275))
    ring = np.concatenate([outer, outer[:1], inner[:1], inner[::-1]])
    frame = (78, 66, 84)
    rig.paint(ring, frame, "head", "glasses", depth=0.66 * r)
    rig.paint(
        box(min(0.0, sign * 0.07 * r), at[1] - 0.02 * r, max(0.0, sign * 0.07 * r), at[1] + 0.02 * r),
        frame,
        "head",
        "glasses",
        depth=0.72 * r,
    )


def _add_mouth(rig: RigBuilder, r: float, look: Chance, skin: Colour) -> None:
    x, y = _HEAD[0], _HEAD[1] + 0.62 * r
    lip = mix(skin, look.pick(((190, 80, 90), (150, 80, 80), (206, 100, 120))), 0.6)
    half, full = 0.27 * r, look.uniform(0.05, 0.075) * r

    def follows(points: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        side = np.clip(np.abs(points[:, 0] - x) / half, 0.0, 1.0) ** 1.6
        low = (points[:, 1] > y).astype(np.float64)
        left = (points[:, 0] > x).astype(np.float64)
        return {
            "mouth_left": side * left,
            "mouth_right": side * (1 - left),
            "mouth_top": (1 - side) * (1 - low),
            "mouth_bottom": (1 - side) * low,
        }

    def opening(thick: float) -> NDArray[np.float64]:
        span = np.linspace(-1.0, 1.0, 15)
        bow = np.sqrt(np.maximum(1.0 - span**2, 0.0))
        top = np.stack([x + span * (half + 0.6 * thick), y - 1e-4 - (0.01 * r + thick) * bow], axis=1)
        low = np.stack([x + span * (half + 0.6 * thick), y + 1e-4 + (0.01 * r + thick) * bow], axis=1)
        return np.concatenate([top, low[::-1]])

    rig.paint(opening(full + 0.012), mix(lip, INK, 0.55), follows, "mouth", depth=0.66 * r)
    rig.paint(opening(full), lip, follows, "mouth", depth=0.66 * r)
    rig.paint(opening(0.0), (106, 46, 58), follows, "mouth", depth=0.66 * r)
    rig.joint("mouth_right", "mouth_right", (-half, y), depth=0.62 * r)
    rig.joint("mouth_left", "mouth_left", (half, y), depth=0.62 * r)
    rig.joint("mouth_top", "mouth_top", (x, y - full), depth=0.68 * r)
    rig.joint("mouth_bottom", "mouth_bottom", (x, y + full), depth=0.68 * r)


def _add_nose(rig: RigBuilder, r: float, look: Chance, skin: Colour) -> None:
    y = _HEAD[1] + 0.32 * r
    size = look.uniform(0.09, 0.14) * r
    rig.paint(
        ellipse((0.0, y + 0.01), 1.12 * size, 0.95 * size, corners=16),
        mix(skin, INK, 0.4),
        "head",
        "nose",
        depth=0.84 * r,
    )
    rig.paint(
        ellipse((0.0, y), size, 0.85 * size, corners=16),
        mix(skin, (214, 110, 100), 0.35),
        "head",
        "nose",
        depth=0.86 * r,
    )
    rig.paint(
        ellipse((-0.35 * size, y - 0.35 * size), 0.25 * size, 0.2 * size, corners=8),
        mix(skin, WHITE, 0.6),
        "head",
        "nose",
        depth=0.88 * r,
    )
    rig.joint("nose", "head", (0.0, y), depth=0.86 * r)
