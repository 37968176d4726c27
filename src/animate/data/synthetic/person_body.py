"""The measures of a person."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from animate.data.synthetic.chance import Chance

    Curve = NDArray[np.float64]

GROUND = 0.84
"""Height of the floor under the feet."""


SIDES = (("right", -1.0), ("left", 1.0))


@dataclass(frozen=True, slots=True)
class Build:
    """Measures of a body, in picture units (the picture is 2 high)."""

    head: float
    shoulder: float
    hip: float
    torso: float
    upper_arm: float
    forearm: float
    thigh: float
    shin: float
    arm_width: float
    leg_width: float

    @property
    def ankle_y(self) -> float:
        """Height of the ankles of a standing figure."""
        return GROUND - 0.06

    @property
    def hip_y(self) -> float:
        """Height of the hip joints of a figure standing with nearly straight legs."""
        return self.ankle_y - self.thigh - self.shin

    @property
    def neck_y(self) -> float:
        """Height of the neck."""
        return self.hip_y - self.torso

    @property
    def head_y(self) -> float:
        """Height of the middle of the head."""
        return self.neck_y - 0.86 * self.head


def draw_build(chance: Chance) -> Build:
    """Draw proportions, between a toddler's and a tall adult's."""
    size = chance.uniform(0.98, 1.15)
    childish = chance.uniform(0.0, 1.0)
    broad = chance.uniform(0.0, 1.0)
    return Build(
        head=size * (0.205 + 0.05 * childish),
        shoulder=size * (0.145 + 0.05 * broad),
        hip=size * (0.085 + 0.025 * broad),
        torso=size * (0.50 - 0.06 * childish),
        upper_arm=size * (0.25 - 0.03 * childish),
        forearm=size * (0.24 - 0.03 * childish),
        thigh=size * (0.28 - 0.05 * childish),
        shin=size * (0.27 - 0.05 * childish),
        arm_width=size * (0.058 + 0.016 * broad),
        leg_width=size * (0.070 + 0.020 * broad),
    )
