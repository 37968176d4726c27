"""One square for a whole clip: it holds the main figure in every frame, and never moves."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from animate.annotate.tubes import LinkRules, Tube, link
from animate.pipelines.framing import Box

if TYPE_CHECKING:
    from collections.abc import Sequence

    from animate.annotate.tubes import Boxes

_SHORTEST = 0.05
"""Of the main figure's frames: what is found in fewer of them is taken for a mistake."""
_ROUNDING = 1e-3  # pixels; what single precision does to a whole number must not cost a pixel


def clip_box(boxes: Sequence[Boxes], picture: tuple[int, int], margin: float) -> Box | None:
    """Lay one square around the main figure of a clip.

    The square holds all boxes of that figure, with the margin on each side, and lies inside of the picture:
    where there is no room it is moved, then shrunk to the picture's shorter side.

    Args:
        boxes: (n, 4) pixels of what was found in each frame, the surest first.
        picture: (height, width) in pixels.
        margin: on each side, as a share of the longer side of what has to be held.

    Returns:
        The square in whole pixels; None where nothing was found in any frame.

    """
    held = _main_figure(link(boxes, LinkRules()))
    if not len(held):
        return None
    low, high = held[:, :2].min(axis=0), held[:, 2:].max(axis=0)
    wanted = float((high - low).max()) * (1 + 2 * margin)
    side = min(math.ceil(wanted - _ROUNDING), *picture)
    corner = np.round((low + high) / 2 - side / 2).clip(0, np.array(picture[::-1]) - side)
    return Box(int(corner[0]), int(corner[1]), side, side)


def _main_figure(tubes: Sequence[Tube]) -> Boxes:
    """Collect the boxes (n, 4) of the figure that takes up most room, summed over frames.

    Where it was lost and found again, or the film cut, it is several tubes: to the largest come those that
    share no frame with what was taken before, the largest first.
    """
    taken: list[Tube] = []
    for tube in sorted(tubes, key=_room, reverse=True):
        long_enough = not taken or len(tube.boxes) >= _SHORTEST * len(taken[0].boxes)
        if long_enough and all(tube.stop <= other.start or other.stop <= tube.start for other in taken):
            taken.append(tube)
    return np.concatenate([tube.boxes for tube in taken]) if taken else np.empty((0, 4))


def _room(tube: Tube) -> float:
    return float((tube.boxes[:, 2:] - tube.boxes[:, :2]).prod(axis=1).sum())
