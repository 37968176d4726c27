"""Morphology of masks as batched tensor operations, on any device; results are those of ``scipy.ndimage``.

Masks are (B, 1, H, W). Windows are squares of an odd side; connected means by an edge (4 neighbours).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def dilate(mask: Tensor, side: int) -> Tensor:
    """Take the largest value of a window around each pixel; what lies outside of the picture is 0.

    Args:
        mask: (B, 1, H, W) in [0, 1].
        side: of the window, odd; 1 changes nothing.

    """
    _check(side)
    return F.max_pool2d(mask, side, stride=1, padding=side // 2)


def erode(mask: Tensor, side: int) -> Tensor:
    """Take the smallest value of a window around each pixel; what lies outside of the picture is 1.

    Args:
        mask: (B, 1, H, W) in [0, 1].
        side: of the window, odd; 1 changes nothing.

    """
    return -dilate(-mask, side)


def dilate_each(mask: Tensor, radii: Tensor) -> Tensor:
    """Dilate every mask of a batch by a radius of its own, in pixels (B,): windows of ``2 r + 1``."""
    each = [dilate(one[None], 2 * int(radius) + 1) for one, radius in zip(mask, radii.tolist(), strict=True)]
    return torch.cat(each)


def feathered(mask: Tensor, radius: int) -> Tensor:
    """Let a mask of 0 and 1 fall off to 0 within ``2 radius`` pixels around it; inside it stays 1."""
    side = 2 * radius + 1
    return F.avg_pool2d(dilate(mask, side), side, stride=1, padding=radius, count_include_pad=False)


def hysteresis(matte: Tensor, low: float, high: float) -> Tensor:
    """Keep what is above ``low`` and connected, through such pixels, to something above ``high``.

    Canny, "A Computational Approach to Edge Detection" (1986).

    Returns:
        (B, 1, H, W), 0 or 1, of the type of ``matte``.

    """
    return _flooded(matte > high, matte > low).to(matte.dtype)


def fill_holes(mask: Tensor) -> Tensor:
    """Fill what a mask of 0 and 1 encloses: what is not connected to the picture's edge."""
    outside = mask <= 0
    edge = torch.zeros_like(outside)
    edge[..., [0, -1], :] = True
    edge[..., [0, -1]] = True
    return (~_flooded(edge & outside, outside)).to(mask.dtype)


def components(mask: Tensor) -> Tensor:
    """Number the connected parts of masks of 0 and 1: (B, 1, H, W) int64, 0 outside.

    Numbers are positive and differ between the parts of a picture; they are not consecutive.
    """
    inside = mask > 0
    places = torch.arange(1, mask.shape[-2] * mask.shape[-1] + 1, device=mask.device)
    return _spread(places.view(mask.shape[-2:]).expand_as(inside) * inside, inside)


def largest_component(mask: Tensor) -> Tensor:
    """Keep the largest connected part of each mask of 0 and 1; nothing of an empty one."""
    labels = components(mask)
    flat = labels.flatten(1)
    counts = torch.zeros(len(flat), int(flat.max()) + 1, dtype=torch.long, device=mask.device)
    counts.scatter_add_(1, flat, torch.ones_like(flat))
    counts[:, 0] = 0
    kept = counts.argmax(1).view(-1, 1, 1, 1)
    return ((labels == kept) & (labels > 0)).to(mask.dtype)


def extent(mask: Tensor) -> Tensor:
    """Give the box around each mask of 0 and 1: (B, 4) int64, left, top, right, bottom, the last two outside.

    All four are 0 for an empty mask.
    """
    sides = []
    for axis in (2, 1):
        seen = (mask[:, 0] > 0).any(3 - axis).long()
        first, last = seen.argmax(1), seen.shape[1] - seen.flip(1).argmax(1)
        there = seen.any(1)
        sides.append((first * there, last * there))
    (left, right), (top, bottom) = sides
    return torch.stack([left, top, right, bottom], dim=1)


def _flooded(seed: Tensor, within: Tensor) -> Tensor:
    """Keep the connected parts of ``within`` that hold something of ``seed``."""
    return _spread((seed & within).long(), within) > 0


def _spread(values: Tensor, within: Tensor) -> Tensor:
    """Give every pixel of a connected part the largest value in it: whole numbers, at least 0; 0 outside.

    Values run along rows and columns, to the next pixel outside, until nothing changes: as often as the
    longest way through a part turns.
    """
    while True:
        spread = values
        for axis in (-1, -2):
            spread = _along(spread, within, axis)
            spread = _along(spread.flip(axis), within.flip(axis), axis).flip(axis)
        if torch.equal(spread, values):
            return values
        values = spread


def _along(values: Tensor, within: Tensor, axis: int) -> Tensor:
    """Carry the largest value so far along an axis; it begins anew behind a pixel outside."""
    # A part of the line is a step higher than the one before, so that nothing of that is carried over.
    step = (~within).long().cumsum(axis) * (int(values.max()) + 1)
    return (torch.cummax(values + step, axis).values - step) * within


def _check(side: int) -> None:
    if side < 1 or side % 2 == 0:
        raise ValueError(f"a window's side must be odd and at least 1, not {side}")
