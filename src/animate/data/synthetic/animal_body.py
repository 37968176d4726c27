"""The measures of an animal."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from animate.data.synthetic.chance import Chance

    Curve = NDArray[np.float64]

GROUND = 0.80


ENDS = (("front", 1.0), ("hind", -1.0))


@dataclass(frozen=True, slots=True)
class Frame:
    """Measures of an animal that looks to the right, in picture units (the picture is 2 high)."""

    length: float
    """Between shoulders and hips."""
    girth: float
    leg: float
    leg_width: float
    neck: float
    neck_rise: float
    head: float
    snout: float
    tail: float

    @property
    def spine_y(self) -> float:
        """Height of shoulders and hips of a standing animal."""
        return GROUND - 0.04 - self.leg

    @property
    def middle(self) -> float:
        """Place of the middle of the trunk, which puts nose and tail as far from the picture's edges."""
        ahead = self.neck * math.cos(self.neck_rise) + (0.85 + 0.55 * self.snout) * self.head
        return -0.5 * (ahead - 0.75 * self.tail - 0.10)

    @property
    def front_x(self) -> float:
        """Place of the shoulders."""
        return self.middle + 0.5 * self.length

    @property
    def hind_x(self) -> float:
        """Place of the hips."""
        return self.middle - 0.5 * self.length

    @property
    def neck_root(self) -> tuple[float, float]:
        """Where the neck leaves the body."""
        return self.front_x + 0.03, self.spine_y - 0.35 * self.girth

    @property
    def head_at(self) -> tuple[float, float]:
        """The middle of the head."""
        x, y = self.neck_root
        return x + self.neck * math.cos(self.neck_rise), y - self.neck * math.sin(self.neck_rise)


def draw_frame(look: Chance) -> Frame:
    """Draw proportions, between a corgi's and a giraffe calf's."""
    return Frame(
        length=look.uniform(0.54, 0.78),
        girth=look.uniform(0.19, 0.27),
        leg=look.uniform(0.44, 0.66),
        leg_width=look.uniform(0.062, 0.085),
        neck=look.uniform(0.33, 0.48),
        neck_rise=look.uniform(0.75, 1.25),
        head=look.uniform(0.20, 0.255),
        snout=look.uniform(0.55, 1.0),
        tail=look.uniform(0.26, 0.44),
    )


def leg_measures(f: Frame, end: str) -> tuple[float, float, float]:
    """Place of the leg's root, and the lengths of its two parts."""
    return (f.front_x if end == "front" else f.hind_x), 0.52 * f.leg, 0.52 * f.leg
