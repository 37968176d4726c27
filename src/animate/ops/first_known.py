"""What is seen first when one looks from a pixel to the left, to the right, up and down."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

DIRECTIONS = 4
_KNOWN = 0.5


class FirstKnown(NamedTuple):
    """The nearest known pixels of every pixel, in the order left, right, up, down."""

    colours: Tensor
    """(B, 4, C, H, W): 0 where nothing is known as far as the edge; a known pixel sees itself."""
    distance: Tensor
    """(B, 4, H, W): in sides of the picture, 1 where nothing is known."""
    found: Tensor
    """(B, 4, H, W) bool."""


def first_known(pictures: Tensor, known: Tensor) -> FirstKnown:
    """Look along rows and columns for the nearest pixel that is known.

    Args:
        pictures: (B, C, H, W).
        known: (B, 1, H, W), 0 or 1.

    """
    each = [side for axis in (-1, -2) for side in _both_ways(pictures, known > _KNOWN, axis)]
    colours, distance, found = (torch.stack(parts, dim=1) for parts in zip(*each, strict=True))
    return FirstKnown(colours, distance[:, :, 0], found[:, :, 0])


def _both_ways(pictures: Tensor, known: Tensor, axis: int) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Look towards the start of an axis, and towards its end."""
    length = pictures.shape[axis]
    shape = [1] * 4
    shape[axis] = length
    here = torch.arange(length, device=pictures.device).view(shape).expand_as(known)
    before = torch.where(known, here, -1).cummax(axis).values
    behind = torch.where(known, here, length).flip(axis).cummin(axis).values.flip(axis)
    return [
        _seen(pictures, here, at, found, axis)
        for at, found in ((before, before >= 0), (behind, behind < length))
    ]


def _seen(
    pictures: Tensor, here: Tensor, at: Tensor, found: Tensor, axis: int
) -> tuple[Tensor, Tensor, Tensor]:
    length = pictures.shape[axis]
    colours = pictures.gather(axis, at.clamp(0, length - 1).expand_as(pictures)) * found
    distance = torch.where(found, (here - at).abs() / length, 1.0).to(pictures.dtype)
    return colours, distance, found
