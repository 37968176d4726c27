"""The families of scenes, and how one is drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from animate.data.synthetic.collage import collage
from animate.data.synthetic.indoors import pattern, room, stage, studio
from animate.data.synthetic.outdoors import beach, meadow, town, winter
from animate.data.synthetic.scene import MARGIN, Scene

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from animate.data.synthetic.chance import Chance
    from animate.data.synthetic.scene import SceneBuilder

FAMILIES: Mapping[str, Callable[[Chance], SceneBuilder]] = {
    "meadow": meadow,
    "room": room,
    "town": town,
    "beach": beach,
    "winter": winter,
    "pattern": pattern,
    "stage": stage,
    "studio": studio,
    "collage": collage,
}
PUPPETS = ("meadow", "room", "town", "beach", "winter", "pattern", "stage")
"""Where puppets are to be seen."""


def draw_scene(chance: Chance, times: NDArray[np.float64], families: Sequence[str] = PUPPETS) -> Scene:
    """Draw a scene of some family; half of them stand still. ``times`` (T,) are the frames' in seconds."""
    builder = FAMILIES[chance.pick(families)](chance)
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
