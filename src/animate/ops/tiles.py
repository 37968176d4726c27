"""Large pictures window by window, without seams."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor


def window_starts(length: int, side: int, overlap: int) -> list[int]:
    """Place windows along an axis: evenly, the first at its beginning, the last at its end.

    Args:
        length: of the axis in pixels.
        side: of a window; one window is enough where it is not shorter than the axis.
        overlap: pixels that neighbours share at least; below ``side``.

    """
    if length <= side:
        return [0]
    count = math.ceil((length - overlap) / (side - overlap))
    return [round(i * (length - side) / (count - 1)) for i in range(count)]


def by_windows(function: Callable[[Tensor], Tensor], pictures: Tensor, side: int, overlap: int) -> Tensor:
    """Apply a function to overlapping windows and blend what it says of them.

    The weight of a window falls evenly towards its edges, over ``overlap`` pixels, so that the result changes
    from one window to the next without a jump. A function that treats each pixel by itself gives the same as
    without windows.

    Args:
        function: takes (B, C, h, w), gives (B, D, h, w).
        pictures: (B, C, H, W).
        side: of the windows.
        overlap: see :func:`window_starts`.

    Returns:
        (B, D, H, W).

    """
    height, width = pictures.shape[-2:]
    total, weights = None, pictures.new_zeros(height, width)
    for top in window_starts(height, side, overlap):
        for left in window_starts(width, side, overlap):
            part = (slice(top, top + side), slice(left, left + side))
            found = function(pictures[..., part[0], part[1]])
            if total is None:
                total = found.new_zeros(*found.shape[:2], height, width)
            weight = _ramp(found.shape[-2], overlap, found)[:, None] * _ramp(found.shape[-1], overlap, found)
            total[..., part[0], part[1]] += weight * found
            weights[part] += weight
    assert total is not None
    return total / weights


def _ramp(side: int, overlap: int, like: Tensor) -> Tensor:
    """Rise evenly from the edge of a window to 1, ``overlap`` pixels inside."""
    edge = torch.arange(side, device=like.device, dtype=like.dtype)
    return ((torch.minimum(edge, side - 1 - edge) + 1) / (overlap + 1)).clamp_max(1)
