"""How an animal moves: trotting on the spot and along."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from animate.data.synthetic.animal_body import ENDS, GROUND, Frame, leg_measures
from animate.data.synthetic.pose import Pose, reach

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from animate.data.synthetic.chance import Chance
    from animate.data.synthetic.rig import Rig

    Curve = NDArray[np.float64]


def trot(
    rig: Rig, f: Frame, chance: Chance, times: Curve, near: str, far: str
) -> tuple[Pose, NDArray[np.float64]]:
    """Move the animal; returns its pose and the shadow as in ``Figure.ground``."""
    pose = Pose(rig, len(times))
    tempo = chance.uniform(0.8, 1.7)
    x = chance.uniform(0.06, 0.20) * chance.wave(times, chance.uniform(0.25, 0.5), 2)
    bounce = chance.uniform(0.02, 0.08)
    hop = bounce * (0.5 + 0.5 * np.sin(4.0 * np.pi * tempo * times))
    leap = chance.uniform(0.0, 0.14) * (0.5 + 0.5 * chance.wave(times, 0.5 * tempo, 1)) ** 2
    pose.move("body", x, 0.03 - hop - leap)
    rock = chance.uniform(0.03, 0.13) * chance.wave(times, tempo, 2)
    pose.turn("body", rock)
    pose.turn("chest", 0.6 * chance.uniform(0.03, 0.12) * chance.wave(times, tempo, 2))
    bow = chance.uniform(0.12, 0.42) * chance.wave(times, chance.uniform(0.3, 0.8), 2)
    pose.turn("neck", bow - 0.5 * rock)
    pose.turn("head", -0.5 * bow + chance.uniform(0.05, 0.25) * chance.wave(times, tempo, 2))
    wag = chance.uniform(0.2, 0.7) * chance.wave(times, chance.uniform(0.8, 2.0), 2)
    pose.turn("tail", 0.7 * wag)
    pose.turn("tail_end", 0.7 * wag)
    pose.turn("scarf", -0.15 + 0.3 * rock)
    _step(pose, f, chance, times, tempo, leap, (near, far))
    pose.swing(1.0 / float(times[1] - times[0]))
    flat = np.ones_like(x)
    shadow = np.stack(
        [
            x + f.middle,
            (GROUND + 0.02) * flat,
            0.5 * f.length + 0.12 - 0.4 * leap,
            0.06 * flat,
            0.5 - 1.2 * leap,
        ],
        axis=1,
    )
    return pose, shadow


def _step(
    pose: Pose, f: Frame, chance: Chance, times: Curve, tempo: float, leap: Curve, sides: tuple[str, str]
) -> None:
    """Move the paws on loops, back on the ground and forth in the air; knees by inverse kinematics."""
    rig, maps = pose.rig, pose.maps()
    stride, height = chance.uniform(0.08, 0.20), chance.uniform(0.05, 0.16)
    canter = chance.happens(0.4)
    body = pose.shift[:, rig.bone("body"), 0]
    start = chance.uniform(0.0, 1.0)
    for side in sides:
        for end, sign in ENDS:
            lag = (0.12 if side == sides[1] else 0.0) + (0.45 if end == "hind" else 0.0)
            if not canter:  # diagonal pairs together
                lag = 0.5 if (side == sides[0]) == (end == "front") else 0.0
            phase = 2.0 * np.pi * (tempo * times + start + lag)
            x, upper, lower = leg_measures(f, end)
            paw = np.stack(
                [
                    x + body - stride * np.cos(phase),
                    f.spine_y + f.leg - 0.01 - leap - height * (0.5 + 0.5 * np.sin(phase)) ** 2,
                ],
                axis=1,
            )
            thigh = rig.bone(f"{side}_{end}_thigh")
            root = (maps[:, thigh] @ np.array([*rig.bones[thigh].pivot, 1.0]))[:, :2]
            first, second = reach(root, paw, upper, lower, sign if end == "front" else 1.0)
            pose.turn(f"{side}_{end}_thigh", first)
            pose.turn(f"{side}_{end}_shin", second)
            pose.turn(f"{side}_{end}_paw", 0.5 * np.clip(np.sin(phase), 0.0, None) ** 2)
