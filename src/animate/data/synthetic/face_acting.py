"""How a portrait moves: the head turns, the mouth speaks, the eyes look around and blink."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from animate.data.synthetic.heads import (
    SKULL_TURN,
)
from animate.data.synthetic.pose import Pose

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from animate.data.synthetic.chance import Chance
    from animate.data.synthetic.rig import Rig

    Curve = NDArray[np.float64]

SIDES = (("right", -1.0), ("left", 1.0))


def act(rig: Rig, r: float, chance: Chance, times: Curve) -> Pose:
    """Move the portrait whose head has radius ``r``."""
    pose = Pose(rig, len(times))
    tempo = chance.uniform(0.45, 0.95)
    sway = chance.uniform(0.08, 0.24) * chance.wave(times, chance.uniform(0.3, 0.6), 2)
    pose.move("bust", sway, 0.06 * chance.wave(times, tempo, 2))
    pose.turn("bust", chance.uniform(0.02, 0.08) * chance.wave(times, tempo, 2))
    yaw = chance.uniform(0.25, 0.62) * chance.wave(times, chance.uniform(0.35, 0.75), 2)
    pitch = chance.uniform(0.08, 0.28) * chance.wave(times, chance.uniform(0.4, 0.9), 2)
    roll = chance.uniform(0.08, 0.28) * chance.wave(times, tempo, 2)
    pose.turn("neck", 0.4 * roll)
    pose.move("head", 0.06 * np.sin(yaw), -0.10 * np.sin(pitch))
    for bone in rig.bones:
        if bone.name not in ("bust", "neck"):
            share = SKULL_TURN if bone.name in ("skull", "jaw", "hair", "bobble") else 1.0
            pose.turn(bone.name, 0.6 * roll if bone.name == "head" else 0.0, share * yaw, share * pitch)
    _speak(pose, r, chance, times)
    _look_around(pose, r, chance, times)
    pose.swing(1.0 / float(times[1] - times[0]))
    return pose


def _speak(pose: Pose, r: float, chance: Chance, times: Curve) -> None:
    talk = 0.5 + 0.5 * chance.wave(times, chance.uniform(0.8, 1.8), 2)
    opened = r * chance.uniform(0.10, 0.38) * talk * (0.5 + 0.5 * chance.wave(times, 0.6, 1))
    smile = r * chance.uniform(0.02, 0.14) * chance.wave(times, chance.uniform(0.3, 0.7), 2)
    pose.move("jaw", 0.0, 0.75 * opened)
    pose.move("mouth_top", 0.0, -0.25 * opened - 0.1 * smile)
    pose.move("mouth_bottom", 0.0, 0.75 * opened + 0.4 * smile)
    for side, sign in SIDES:
        pose.move(f"mouth_{side}", sign * (0.4 * smile - 0.15 * opened), 0.25 * opened - 0.8 * smile)


def _look_around(pose: Pose, r: float, chance: Chance, times: Curve) -> None:
    gaze = (0.075 * r * chance.wave(times, 0.5, 2), 0.05 * r * chance.wave(times, 0.4, 2))
    shut = _blinks(chance, times)
    wide = 1.0 + 0.12 * chance.wave(times, 0.5, 2)
    for side, sign in SIDES:
        brow = r * 0.10 * chance.wave(times, chance.uniform(0.5, 1.0), 2)
        pose.move(f"{side}_brow", 0.0, -brow)
        bone = pose.rig.bone(f"{side}_brow")
        pose.angle[:, bone] = sign * 0.25 * chance.wave(times, 0.6, 2)
        pose.move(f"{side}_iris", *gaze)
        for part in ("eye", "iris"):
            pose.stretch(f"{side}_{part}", 1.0, np.maximum(wide * (1.0 - shut), 0.10))


def _blinks(chance: Chance, times: Curve) -> Curve:
    """How far the eyelids are shut, 0 to 1: a blink of about 0.25 s now and then."""
    period, start = chance.uniform(1.2, 3.0), chance.uniform(0.0, 3.0)
    since = np.mod(times - start, period)
    return np.exp(-(((since - 0.3) / 0.075) ** 2))
