"""The families of scenes, and how one is drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from animate.data.synthetic.indoors import pattern, room, stage
from animate.data.synthetic.outdoors import beach, meadow, town, winter
from animate.data.synthetic.scene import MARGIN, Scene

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from animate.data.synthetic.chance import Chance


def draw_scene(chance: Chance, times: NDArray[np.float64]) -> Scene:
    """Draw a scene of some family; half of them stand still. ``times`` (T,) are the frames' in seconds."""
    builder = chance.pick((meadow, room, town, beach, winter, pattern, stage))(chance)
    light = cv2.resize(chance.grid(4, 4), (72, 72), interpolation=cv2.INTER_CUBIC)
    grain = 0.93 + 0.13 * light + chance.uniform(0.0, 0.07) * (chance.grid(72, 72) - 0.5)
    if chance.happens(0.5):
        return builder.build(grain, None, None)
    reach = 0.9 * MARGIN
    camera = [
        reach * a * chance.wave(times, chance.uniform(0.10, 0.25), 2)
        for a in (chance.uniform(0.3, 1.0), chance.uniform(0.0, 0.2))
    ]
    sway = [chance.wave(times, chance.uniform(0.2, 0.6), 2) for _ in range(2)]
    return builder.build(grain, np.stack(camera, axis=1), np.stack(sway, axis=1))
