"""A person seen from the front, head to foot, dancing on the spot."""

from __future__ import annotations

from typing import TYPE_CHECKING

from animate.data.synthetic.figure import Figure, posed
from animate.data.synthetic.heads import (
    add_hat,
    add_long_hair,
    add_short_hair,
    head_outline,
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
from animate.data.synthetic.person_body import SIDES, Build, draw_build
from animate.data.synthetic.person_clothes import add_skirt, add_torso
from animate.data.synthetic.person_dance import dance
from animate.data.synthetic.rig import Rig, RigBuilder
from animate.data.synthetic.shapes import capsule, ellipse, smooth
from animate.layouts import PUPPET_PERSON

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from animate.data.synthetic.chance import Chance

    Curve = NDArray[np.float64]


def draw_person(identity: int, look: Chance, motion: Chance, times: Curve, keep: slice) -> Figure:
    """Draw a person of this identity in motion; ``times`` in seconds, of which ``keep`` are kept."""
    build = draw_build(look)
    rig = _sculpt(build, identity, look)
    pose, ground = dance(rig, build, motion, times)
    return posed(pose, keep, ground, flip=False)


def _sculpt(build: Build, identity: int, look: Chance) -> Rig:
    shirt, sleeve, trousers = (GARMENTS[d] for d in garment_digits(identity))
    skin, hair = look.pick(SKINS), look.pick(HAIRS)
    shoe = look.pick((INK, (120, 84, 70), WHITE, (176, 88, 88), (92, 108, 150)))
    rig = RigBuilder()
    _add_bones(rig, build)
    rig.layer("behind")
    long_hair = look.happens(0.55)
    if long_hair:
        add_long_hair(rig, look, (0.0, build.head_y), build.head, hair)
    bare_legs = look.happens(0.35)
    for side, sign in SIDES:
        _add_leg(rig, build, side, sign, trousers, skin if bare_legs else trousers, shoe)
    rig.layer("torso")
    add_torso(rig, build, look, shirt, trousers, skin)
    if look.happens(0.35):
        add_skirt(rig, build, trousers)
    rig.joint("neck", "chest", (0.0, build.neck_y + 0.095))
    for side, sign in SIDES:
        rig.joint(f"{side}_hip", "hips", (sign * build.hip, build.hip_y))
    rig.layer("head")
    _add_head(rig, build, look, skin, hair, shirt)
    short_sleeves = look.happens(0.4)
    for side, sign in SIDES:
        _add_arm(rig, build, side, sign, sleeve, skin, short=short_sleeves)
    return rig.build_with(PUPPET_PERSON.points)


def _add_bones(rig: RigBuilder, b: Build) -> None:
    rig.bone("hips", None, (0.0, b.hip_y))
    rig.bone("chest", "hips", (0.0, b.hip_y - 0.25 * b.torso))
    rig.bone("head", "chest", (0.0, b.neck_y))
    rig.bone("skull", "head", (0.0, b.head_y))
    rig.bone("hair", "skull", (0.0, b.head_y), depth=-0.10, spring=1.7)
    rig.bone("bobble", "skull", (0.0, b.head_y - 1.25 * b.head), spring=2.4)
    rig.bone("skirt", "hips", (0.0, b.hip_y - 0.1), spring=1.9)
    for side, sign in SIDES:
        shoulder = (sign * b.shoulder, b.neck_y + 0.065)
        rig.bone(f"{side}_arm", "chest", shoulder)
        rig.bone(f"{side}_forearm", f"{side}_arm", (shoulder[0], shoulder[1] + b.upper_arm))
        hip = (sign * b.hip, b.hip_y)
        rig.bone(f"{side}_thigh", "hips", hip, inherits=False)
        rig.bone(f"{side}_shin", f"{side}_thigh", (hip[0], hip[1] + b.thigh), inherits=False)
        rig.bone(f"{side}_foot", f"{side}_shin", (hip[0], hip[1] + b.thigh + b.shin), inherits=False)


def _add_leg(
    rig: RigBuilder, b: Build, side: str, sign: float, cloth: Colour, shin_colour: Colour, shoe: Colour
) -> None:
    x, w = sign * b.hip, b.leg_width
    knee, ankle = b.hip_y + b.thigh, b.hip_y + b.thigh + b.shin
    rig.layer(f"{side}_leg")
    foot = smooth([(x - 0.055, ankle), (x + 0.055, ankle), (x + sign * 0.045 + 0.07, ankle + 0.05),
                   (x + sign * 0.045 + 0.06, ankle + 0.085), (x + sign * 0.045 - 0.06, ankle + 0.085),
                   (x + sign * 0.045 - 0.07, ankle + 0.05)])  # fmt: skip
    rig.model([(foot, shoe, f"{side}_foot", "foot")])
    # Shorts end above the knee, so that the thigh always has the colour of the identity code.
    rig.model(
        [
            (capsule((x, knee), (x, ankle), 0.86 * w, 0.72 * w), shin_colour, f"{side}_shin", f"{side}_shin"),
            (capsule((x, b.hip_y), (x, knee), 1.08 * w, 0.9 * w), cloth, f"{side}_thigh", f"{side}_thigh"),
        ]
    )
    if shin_colour == cloth:
        cuff = capsule((x - 0.6 * w, ankle - 0.03), (x + 0.6 * w, ankle - 0.03), 0.02, 0.02, corners=4)
        rig.paint(cuff, mix(cloth, WHITE, 0.35), f"{side}_shin", f"{side}_shin")
    rig.joint(f"{side}_knee", f"{side}_shin", (x, knee))
    rig.joint(f"{side}_ankle", f"{side}_foot", (x, ankle))


def _add_arm(
    rig: RigBuilder, b: Build, side: str, sign: float, sleeve: Colour, skin: Colour, *, short: bool
) -> None:
    x, w = sign * b.shoulder, b.arm_width
    top = b.neck_y + 0.065
    elbow, wrist = top + b.upper_arm, top + b.upper_arm + b.forearm
    rig.layer(f"{side}_arm")
    forearm = skin if short else sleeve
    lower, upper = f"{side}_forearm", f"{side}_arm"
    hand = ellipse((x, wrist + 0.035), 0.95 * w, 1.1 * w, corners=14)
    thumb = ellipse((x - sign * 0.8 * w, wrist + 0.01), 0.38 * w, 0.65 * w, corners=10, turn=sign * 0.4)
    rig.model(
        [
            (thumb, skin, lower, "hand"),
            (hand, skin, lower, "hand"),
            (capsule((x, elbow), (x, wrist), 0.92 * w, 0.74 * w), forearm, lower, lower),
            (capsule((x, top), (x, elbow), 1.12 * w, 0.96 * w), sleeve, upper, upper),
        ]
    )
    edge = elbow - 0.02 if short else wrist - 0.015
    bone = upper if short else lower
    cuff = capsule((x - 0.62 * w, edge), (x + 0.62 * w, edge), 0.018, 0.018, corners=4)
    rig.paint(cuff, mix(sleeve, INK, 0.3), bone, bone)
    rig.joint(f"{side}_shoulder", upper, (x, top))
    rig.joint(f"{side}_elbow", lower, (x, elbow))
    rig.joint(f"{side}_wrist", lower, (x, wrist))


def _add_head(rig: RigBuilder, b: Build, look: Chance, skin: Colour, hair: Colour, accent: Colour) -> None:
    r, y = b.head, b.head_y
    for side, sign in SIDES:
        ear = ellipse((sign * 0.93 * r, y + 0.12 * r), 0.20 * r, 0.25 * r, corners=14)
        rig.model([(ear, skin, "skull", "head")], depth=-0.02)
        rig.joint(
            f"{side}_ear", "skull", (sign * 0.97 * r, y + 0.16 * r), depth=-0.02, facing=(sign, 0.0, 0.25)
        )
    face = head_outline(look, (0.0, y), r)
    rig.model([(face, skin, "skull", "head")])
    for sign in (-1.0, 1.0):
        cheek = ellipse((sign * 0.55 * r, y + 0.42 * r), 0.17 * r, 0.11 * r, corners=12)
        rig.paint(cheek, mix(skin, (230, 110, 110), 0.35), "head", "head", depth=0.55 * r)
    _add_eyes(rig, b, look, skin, hair)
    nose = ellipse((0.0, y + 0.38 * r), 0.095 * r, 0.075 * r, corners=12)
    rig.paint(nose, mix(skin, (200, 90, 80), 0.5), "head", "head", depth=0.66 * r)
    rig.joint("nose", "head", (0.0, y + 0.37 * r), depth=0.85 * r)
    smile = look.uniform(0.05, 0.16) * r
    left, right = (-0.26 * r, y + 0.62 * r), (0.26 * r, y + 0.62 * r)
    mouth = smooth([left, (0.0, y + 0.66 * r), right, (0.0, y + 0.68 * r + smile)])
    rig.paint(mouth, (120, 54, 64), "head", "head", depth=0.66 * r)
    add_short_hair(rig, look, (0.0, y), r, hair)
    add_hat(rig, look, (0.0, y), r, accent)


def _add_eyes(rig: RigBuilder, b: Build, look: Chance, skin: Colour, hair: Colour) -> None:
    """Add both eyes with their brows."""
    r, y = b.head, b.head_y
    tilt = look.uniform(-0.25, 0.25)
    for side, sign in SIDES:
        eye = (sign * 0.37 * r, y + 0.08 * r)
        rim = ellipse(eye, 0.205 * r, 0.25 * r, corners=16)
        white = ellipse(eye, 0.175 * r, 0.22 * r, corners=16)
        pupil = ellipse((eye[0], eye[1] + 0.02 * r), 0.10 * r, 0.14 * r, corners=14)
        shine = ellipse((eye[0] + 0.04 * r, eye[1] - 0.05 * r), 0.035 * r, 0.045 * r, corners=8)
        brow = ellipse((eye[0], eye[1] - 0.36 * r), 0.17 * r, 0.04 * r, corners=12, turn=sign * tilt)
        rig.paint(rim, mix(skin, INK, 0.75), "head", "head", depth=0.62 * r)
        rig.paint(white, WHITE, "head", "head", depth=0.62 * r)
        rig.paint(pupil, INK, "head", "head", depth=0.65 * r)
        rig.paint(shine, WHITE, "head", "head", depth=0.65 * r)
        rig.paint(brow, mix(hair, INK, 0.4), "head", "head", depth=0.62 * r)
        rig.joint(f"{side}_eye", "head", eye, depth=0.65 * r, facing=(sign * 0.35, 0.0, 0.93))
