"""How a person moves: dancing on the spot, with the feet on the ground."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from animate.data.synthetic.heads import (
    SKULL_TURN,
)
from animate.data.synthetic.person_body import GROUND, SIDES, Build
from animate.data.synthetic.pose import Pose, reach

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from animate.data.synthetic.chance import Chance
    from animate.data.synthetic.rig import Rig

    Curve = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Gesture:
    """How an arm moves: angles in radians, outward from hanging down; a positive elbow bends inwards."""

    raised: float
    sweep: float
    bent: float
    flex: float


GESTURES = (
    Gesture(raised=0.45, sweep=0.60, bent=0.50, flex=0.45),
    Gesture(raised=2.20, sweep=0.45, bent=0.30, flex=0.70),
    Gesture(raised=1.30, sweep=0.75, bent=0.25, flex=0.45),
    Gesture(raised=0.85, sweep=0.35, bent=1.60, flex=0.50),
    Gesture(raised=1.60, sweep=0.50, bent=-1.00, flex=0.60),
)


def dance(rig: Rig, b: Build, chance: Chance, times: Curve) -> tuple[Pose, NDArray[np.float64]]:
    """Move the person; returns the pose and the shadow as in ``Figure.ground``."""
    pose = Pose(rig, len(times))
    tempo = chance.uniform(0.65, 1.25)
    sway = chance.uniform(0.10, 0.26) * chance.wave(times, chance.uniform(0.3, 0.6), 2)
    sway = sway + chance.uniform(0.02, 0.07) * chance.wave(times, tempo, 1)
    crouch = chance.uniform(0.02, 0.12) * (0.5 + 0.5 * chance.wave(times, tempo, 2))
    lift = chance.uniform(0.0, 0.10) * np.clip(chance.wave(times, 0.5 * tempo, 1), 0.0, None) ** 3
    pose.move("hips", sway, crouch - lift + 0.03)
    pose.turn("hips", 0.08 * chance.wave(times, tempo))
    lean = chance.uniform(0.05, 0.20) * chance.wave(times, tempo)
    facing = chance.uniform(0.1, 0.5) * chance.wave(times, 0.5 * tempo, 2)
    pose.turn("chest", lean, facing)
    nod = chance.uniform(0.05, 0.22) * chance.wave(times, tempo)
    look = facing + chance.uniform(0.1, 0.45) * chance.wave(times, chance.uniform(0.3, 0.7), 2)
    pose.turn("head", nod - 0.5 * lean, look, 0.18 * chance.wave(times, 0.5 * tempo, 2))
    for bone in ("skull", "hair", "bobble"):
        pose.turn(bone, 0.0, SKULL_TURN * look)
    _move_arms(pose, chance, times, tempo)
    _step(pose, b, chance, times, tempo, lift)
    pose.swing(1.0 / float(times[1] - times[0]))
    shadow = np.stack(
        [
            sway,
            np.full_like(sway, GROUND + 0.01),
            0.30 - 0.5 * lift,
            np.full_like(sway, 0.055),
            0.5 - 1.5 * lift,
        ],
        axis=1,
    )
    return pose, shadow


def _move_arms(pose: Pose, chance: Chance, times: Curve, tempo: float) -> None:
    alike = chance.happens(0.5)
    shared = chance.pick(GESTURES)
    beat = chance.wave(times, tempo)
    opposed = chance.sign()
    hidden = chance.pick(("right", "left", "", ""))
    for side, sign in SIDES:
        gesture = shared if alike else chance.pick(GESTURES)
        strength = chance.uniform(0.75, 1.15)
        own = beat * (1.0 if sign > 0 else opposed) if alike else chance.wave(times, tempo)
        flex = chance.wave(times, tempo)
        # Positive angles turn clockwise on the screen, which raises the arm at the viewer's left.
        pose.turn(f"{side}_arm", -sign * (gesture.raised + strength * gesture.sweep * own))
        pose.turn(f"{side}_forearm", -sign * (gesture.bent + strength * gesture.flex * flex))
        if not alike and gesture.raised < 1.0 and side == hidden:
            pose.place_layer(f"{side}_arm", -1.0)


def _step(pose: Pose, b: Build, chance: Chance, times: Curve, tempo: float, lift: Curve) -> None:
    """Stand the feet on the ground, lift them in turn, and let the legs follow by inverse kinematics."""
    rig, maps = pose.rig, pose.maps()
    phase = 2.0 * np.pi * (0.5 * tempo * times + chance.uniform(0.0, 1.0))
    height = chance.uniform(0.03, 0.20)
    spread = chance.uniform(0.02, 0.12)
    travel = chance.uniform(0.0, 0.10) * chance.wave(times, 0.5 * tempo, 1)
    drift = 0.55 * pose.shift[:, rig.bone("hips"), 0]
    for side, sign in SIDES:
        thigh = rig.bone(f"{side}_thigh")
        hip = (maps[:, thigh] @ np.array([*rig.bones[thigh].pivot, 1.0]))[:, :2]
        up = height * (0.5 + 0.5 * np.sin(phase + (0.0 if sign > 0 else np.pi))) ** 3
        foot = np.stack([sign * (b.hip + spread) + drift + travel, b.ankle_y - up - lift], axis=1)
        upper, lower = reach(hip, foot, b.thigh, b.shin, sign)
        pose.turn(f"{side}_thigh", upper)
        pose.turn(f"{side}_shin", lower)
        pose.turn(f"{side}_foot", 0.5 * sign * up)
