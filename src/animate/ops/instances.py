"""What follows from a map of instances, ``(B, 1, H, W)`` whole numbers, one for each object of a picture."""

from __future__ import annotations

import torch
from torch import Tensor


def instance_edges(instance: Tensor) -> Tensor:
    """Mark the pixels that touch another instance above, below, left or right: ``(B, 1, H, W)`` bool."""
    across = instance[..., :, 1:] != instance[..., :, :-1]
    along = instance[..., 1:, :] != instance[..., :-1, :]
    edges = torch.zeros_like(instance, dtype=torch.bool)
    edges[..., :, 1:] |= across
    edges[..., :, :-1] |= across
    edges[..., 1:, :] |= along
    edges[..., :-1, :] |= along
    return edges


def number_instances(instance: Tensor) -> tuple[Tensor, int]:
    """Give the instances of all pictures of a batch numbers from 0; the same number in two pictures is two.

    Returns:
        ``(B, 1, H, W)`` int64 of the new numbers, and how many there are.

    """
    instance = instance.long()
    low = instance.min()
    span = instance.max() - low + 1
    offset = span * torch.arange(len(instance), device=instance.device).view(-1, 1, 1, 1)
    found, numbered = torch.unique(instance - low + offset, return_inverse=True)
    return numbered, len(found)


def instance_means(values: Tensor, numbered: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Average maps over each instance.

    Args:
        values: ``(B, C, H, W)``.
        numbered: ``(B, 1, H, W)``, from ``number_instances``.
        count: the number of instances N.

    Returns:
        ``(N, C)`` means and ``(N,)`` numbers of pixels.

    """
    where = numbered.flatten()
    pixels = values.movedim(1, -1).flatten(0, -2)
    sums = pixels.new_zeros(count, pixels.shape[1]).index_add(0, where, pixels)
    areas = torch.bincount(where, minlength=count).to(pixels.dtype)
    return sums / areas.unsqueeze(1), areas


def paint_instances(values: Tensor, numbered: Tensor) -> Tensor:
    """Give every pixel the value of its instance: ``(N, C)`` and ``(B, 1, H, W)`` to ``(B, C, H, W)``."""
    return values[numbered.squeeze(1)].movedim(-1, 1)
