"""A four-legged cartoon animal seen from the side, trotting on the spot and along."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from animate.data.synthetic.animal_body import ENDS, Frame, draw_frame, leg_measures
from animate.data.synthetic.animal_head import add_head
from animate.data.synthetic.animal_trot import trot
from animate.data.synthetic.figure import Figure, posed
from animate.data.synthetic.palette import (
    FURS,
    GARMENTS,
    INK,
    WHITE,
    Colour,
    garment_digits,
    mix,
)
from animate.data.synthetic.rig import Rig, RigBuilder, between
from animate.data.synthetic.shapes import box, capsule, ellipse, smooth
from animate.layouts import PUPPET_ANIMAL

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from animate.data.synthetic.chance import Chance

    Curve = NDArray[np.float64]


ROOTS = {"front": "shoulder", "hind": "hip"}


def draw_animal(identity: int, look: Chance, motion: Chance, times: Curve, keep: slice) -> Figure:
    """Draw an animal of this identity in motion; ``times`` in seconds, of which ``keep`` are kept."""
    frame, looks_left = draw_frame(look), look.happens(0.5)
    # The rig looks to the right and shows its right side;
    # its mirror image looks to the left and shows the left.
    near, far = ("left", "right") if looks_left else ("right", "left")
    rig = _sculpt(frame, identity, look, near, far)
    pose, ground = trot(rig, frame, motion, times, near, far)
    return posed(pose, keep, ground, flip=looks_left)


def _sculpt(f: Frame, identity: int, look: Chance, near: str, far: str) -> Rig:
    coat, scarf, boots = (GARMENTS[d] for d in garment_digits(identity))
    fur = look.pick(FURS)
    belly = mix(fur, WHITE, look.uniform(0.35, 0.7))
    rig = RigBuilder()
    _add_bones(rig, f, near, far)
    for end, _ in ENDS:
        _add_leg(rig, f, far, end, mix(fur, INK, 0.22), mix(boots, INK, 0.12))
    rig.layer("tail")
    _add_tail(rig, f, look, fur, belly)
    rig.layer("body")
    _add_body(rig, f, look, fur, belly, coat)
    rig.layer("neck")
    _add_neck(rig, f, look, fur, scarf)
    for end, _ in ENDS:
        _add_leg(rig, f, near, end, fur, boots)
    rig.layer("head")
    add_head(rig, f, look, fur, belly, (near, far))
    return rig.build_with(PUPPET_ANIMAL.points)


def _add_bones(rig: RigBuilder, f: Frame, near: str, far: str) -> None:
    rig.bone("body", None, (f.middle, f.spine_y))
    rig.bone("chest", "body", (f.front_x - 0.25 * f.length, f.spine_y))
    rig.bone("neck", "chest", f.neck_root)
    rig.bone("head", "neck", f.head_at)
    hx, hy = f.head_at
    for side, shift in ((near, -0.20), (far, 0.42)):
        rig.bone(f"{side}_ear", "head", (hx + (shift - 0.25) * f.head, hy - 0.72 * f.head), spring=2.1)
    root = (f.hind_x - 0.06, f.spine_y - 0.50 * f.girth)
    rig.bone("tail", "body", root, spring=1.5)
    rig.bone("tail_end", "tail", (root[0] - 0.5 * f.tail, root[1] - 0.35 * f.tail), spring=1.8)
    rig.bone("scarf", "neck", f.neck_root, inherits=False, spring=1.9)
    for side in (near, far):
        for end, _ in ENDS:
            x, upper, lower = leg_measures(f, end)
            trunk = "chest" if end == "front" else "body"
            rig.bone(f"{side}_{end}_thigh", trunk, (x, f.spine_y), inherits=False)
            rig.bone(f"{side}_{end}_shin", f"{side}_{end}_thigh", (x, f.spine_y + upper), inherits=False)
            rig.bone(
                f"{side}_{end}_paw", f"{side}_{end}_shin", (x, f.spine_y + upper + lower), inherits=False
            )


def _add_leg(rig: RigBuilder, f: Frame, side: str, end: str, fur: Colour, boot: Colour) -> None:
    x, upper, lower = leg_measures(f, end)
    w = f.leg_width
    knee, paw = f.spine_y + upper, f.spine_y + upper + lower
    name = f"{side}_{end}"
    rig.layer(f"{name}_leg")
    foot = smooth(
        [
            (x - 1.0 * w, paw - 0.02),
            (x + 0.8 * w, paw - 0.03),
            (x + 1.75 * w, paw + 0.02),
            (x + 1.6 * w, paw + 0.055),
            (x - 0.9 * w, paw + 0.055),
        ]
    )
    # Boots cover the lower leg, so that there is enough of their colour to be read back.
    rig.model(
        [
            (foot, boot, f"{name}_paw", "paw"),
            (
                capsule((x, knee + 0.22 * lower), (x, paw), 0.92 * w, 0.86 * w),
                boot,
                f"{name}_shin",
                f"{side}_leg",
            ),
        ]
    )
    rig.model(
        [
            (
                capsule((x, knee), (x, knee + 0.2 * lower), 0.92 * w, 0.86 * w),
                fur,
                f"{name}_shin",
                f"{side}_leg",
            ),
            (
                capsule((x, f.spine_y + 0.02), (x, knee), 1.55 * w, 0.98 * w),
                fur,
                f"{name}_thigh",
                f"{side}_leg",
            ),
        ]
    )
    cuff = capsule(
        (x - 0.8 * w, knee + 0.32 * lower), (x + 0.8 * w, knee + 0.32 * lower), 0.02, 0.02, corners=4
    )
    rig.paint(cuff, mix(boot, WHITE, 0.45), f"{name}_shin", f"{side}_leg")
    rig.joint(f"{name}_{ROOTS[end]}", f"{name}_thigh", (x, f.spine_y))
    rig.joint(f"{name}_knee", f"{name}_shin", (x, knee))
    rig.joint(f"{name}_paw", f"{name}_paw", (x, paw))


def _add_tail(rig: RigBuilder, f: Frame, look: Chance, fur: Colour, light: Colour) -> None:
    x, y = f.hind_x - 0.06, f.spine_y - 0.50 * f.girth
    mid, tip = (x - 0.5 * f.tail, y - 0.35 * f.tail), (x - 0.75 * f.tail, y - 0.85 * f.tail)
    style = look.integer(3)
    if style == 0:  # bushy
        brush = smooth(
            [
                (x + 0.05, y + 0.04),
                (mid[0] + 0.02, mid[1] + 0.14),
                (tip[0] - 0.08, tip[1] + 0.1),
                (tip[0] - 0.01, tip[1] - 0.07),
                (mid[0] + 0.12, mid[1] - 0.05),
                (x + 0.06, y - 0.06),
            ]
        )
        rig.model([(brush, fur, between("tail_end", "tail", 1, tip[1], y), "tail")])
        rig.paint(
            ellipse((tip[0] - 0.015, tip[1] + 0.02), 0.05, 0.07, corners=12, turn=0.5),
            light,
            "tail_end",
            "tail",
        )
    else:  # a rope, with a tuft or without
        width = 0.034 if style == 1 else 0.05
        parts = [
            (capsule((x + 0.04, y + 0.02), mid, 1.2 * width, width), fur, "tail", "tail"),
            (capsule(mid, tip, width, 0.8 * width), fur, "tail_end", "tail"),
        ]
        if style == 1:
            parts.insert(
                0,
                (ellipse(tip, 0.065, 0.085, corners=14, turn=-0.4), mix(fur, INK, 0.35), "tail_end", "tail"),
            )
        rig.model(parts)
    rig.joint("tail_tip", "tail_end", tip)


def _add_body(rig: RigBuilder, f: Frame, look: Chance, fur: Colour, belly: Colour, coat: Colour) -> None:
    y, g = f.spine_y, f.girth
    bends = between("body", "chest", 0, f.hind_x + 0.2 * f.length, f.front_x - 0.2 * f.length)
    trunk = smooth(
        [
            (f.hind_x - 0.13, y - 0.1 * g),
            (f.hind_x + 0.02, y - 0.75 * g),
            (f.middle, y - 0.68 * g),
            (f.front_x + 0.02, y - 0.8 * g),
            (f.front_x + 0.17, y - 0.2 * g),
            (f.front_x + 0.1, y + 0.5 * g),
            (f.middle, y + 0.62 * g),
            (f.hind_x, y + 0.5 * g),
        ]
    )
    rig.model([(trunk, fur, bends, "torso")])
    rig.paint(ellipse((f.middle, y + 0.42 * g), 0.32 * f.length, 0.14 * g), belly, bends, "torso")
    markings = look.integer(3)
    if markings:
        for k in range(4):
            at = (f.hind_x - 0.04 + 0.045 * k, y - 0.25 * g + 0.22 * g * (k % 2))
            rx, ry = (0.03, 0.03) if markings == 1 else (0.012, 0.10 * g + 0.02)
            rig.paint(ellipse(at, rx, ry, corners=10), mix(fur, INK, 0.3), bends, "torso")
    left, right = f.hind_x + 0.14, f.front_x + 0.04
    jacket = smooth(
        [
            (left, y - 0.76 * g),
            (0.5 * (left + right), y - 0.80 * g),
            (right, y - 0.86 * g),
            (right + 0.06, y - 0.1 * g),
            (right + 0.01, y + 0.5 * g),
            (0.5 * (left + right), y + 0.58 * g),
            (left, y + 0.5 * g),
            (left - 0.02, y - 0.1 * g),
        ]
    )
    rig.model([(jacket, coat, bends, "coat")])
    light = mix(coat, WHITE, 0.42)
    pattern = look.integer(3)
    if pattern == 0:
        for k in range(3):
            x = left + (right - left) * (0.2 + 0.27 * k)
            rig.paint(box(x, y - 0.72 * g, x + 0.045, y + 0.48 * g), light, bends, "coat")
    elif pattern == 1:
        for k in range(6):
            at = (left + (right - left) * (0.18 + 0.15 * k), y - (0.3 if k % 2 else -0.1) * g)
            rig.paint(ellipse(at, 0.028, 0.028, corners=10), light, bends, "coat")
    hem = capsule((left + 0.005, y - 0.68 * g), (left - 0.005, y + 0.42 * g), 0.018, 0.018, corners=4)
    rig.paint(hem, mix(coat, INK, 0.3), bends, "coat")
    rig.joint("tail_root", "body", (f.hind_x - 0.06, y - 0.50 * g))


def _add_neck(rig: RigBuilder, f: Frame, look: Chance, fur: Colour, scarf: Colour) -> None:
    root, head = f.neck_root, f.head_at
    mane = look.pick(FURS)
    along = np.array([head[0] - root[0], head[1] - root[1]]) / f.neck
    back = np.array([along[1], -along[0]])
    if look.happens(0.4):
        tufts = [
            tuple(np.array(root) + along * f.neck * t + back * (0.17 - 0.04 * (k % 2)))
            for k, t in enumerate(np.linspace(-0.05, 1.0, 7))
        ]
        rig.model([(smooth([*tufts, head, root]), mix(mane, INK, 0.25), "neck", "mane")])
    rig.model(
        [
            (
                capsule((root[0] - 0.02, root[1] + 0.06), head, 0.68 * f.girth, 0.5 * f.girth),
                fur,
                "neck",
                "neck",
            )
        ]
    )
    low, high = np.array(root), np.array(root) + along * 0.36 * f.neck
    side = back * 0.62 * f.girth
    wrap = smooth(
        [tuple(low + side * 1.08), tuple(high + side), tuple(high - side), tuple(low - side * 1.08)], steps=5
    )
    tail = smooth(
        [
            tuple(low - side * 0.6),
            tuple(low - side * 0.1),
            (low[0] + 0.03, low[1] + 0.30),
            (low[0] + 0.15, low[1] + 0.27),
        ]
    )
    rig.model([(tail, scarf, "scarf", "scarf")])
    rig.model([(wrap, scarf, "neck", "scarf")])
    rig.joint("neck", "neck", tuple(0.5 * (low + high)))
