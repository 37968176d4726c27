"""What the families of scenes share: where the floor is, colours, hills."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from animate.data.synthetic.scene import MARGIN

if TYPE_CHECKING:
    from animate.data.synthetic.chance import Chance
    from animate.data.synthetic.palette import Colour
    from animate.data.synthetic.shapes import Points

FLOOR = 0.62
"""Where floors begin; figures stand a little below."""
LEFT, RIGHT, LOW = -1.0 - MARGIN, 1.0 + MARGIN, 1.0 + MARGIN
CLOTH: tuple[Colour, ...] = (
    (214, 150, 140), (222, 186, 132), (150, 184, 150), (132, 172, 190), (158, 150, 196),
    (206, 158, 186), (184, 180, 170),
)  # fmt: skip
WALLS: tuple[Colour, ...] = (
    (236, 220, 200), (204, 220, 214), (206, 214, 232), (232, 208, 208), (222, 224, 196),
    (190, 196, 212), (240, 232, 214),
)  # fmt: skip


def ridge(chance: Chance, height: float, rough: float) -> Points:
    """Return a range of hills: everything below a smooth random curve."""
    x = np.linspace(LEFT, RIGHT, 36)
    y = height + rough * chance.wave(x, chance.uniform(0.25, 0.6))
    return np.concatenate([np.stack([x, y], axis=1), [[RIGHT, LOW], [LEFT, LOW]]])
