"""Sampling pictures at coordinates."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from animate.ops.precision import at_least_float32


def warp(
    picture: Tensor, coordinates: Tensor, padding: Literal["zeros", "border", "reflection"] = "zeros"
) -> Tensor:
    """Sample a picture bilinearly where the coordinates say.

    Args:
        picture: ``(B, C, H, W)``.
        coordinates: ``(B, h, w, 2)``, (x, y) in [-1, 1]; the corner pixels' centres lie at -1 and 1.
        padding: what lies outside of the picture.

    Returns:
        ``(B, C, h, w)`` in the picture's type and memory format.

    """
    # Half-precision coordinates would be off by up to a quarter of a pixel in a 512 pixel picture.
    grid = at_least_float32(coordinates)
    sampled = F.grid_sample(
        picture.to(grid.dtype), grid, mode="bilinear", padding_mode=padding, align_corners=True
    )
    # grid_sample forgets the format, and every convolution to come would copy its input to get it back.
    channels_last = picture.stride(1) == 1 and picture.shape[1] > 1
    return sampled.to(
        picture.dtype, memory_format=torch.channels_last if channels_last else torch.preserve_format
    )


def warp_each(picture: Tensor, coordinates: Tensor) -> Tensor:
    """Warp one picture by N fields in one call.

    Args:
        picture: ``(B, C, H, W)``.
        coordinates: ``(B, N, h, w, 2)``, (x, y) in [-1, 1].

    Returns:
        ``(B, N, C, h, w)``.

    """
    # The N fields stacked along the height are one tall field: the picture need not be repeated N times.
    height = coordinates.shape[2]
    stacked = warp(picture, coordinates.flatten(1, 2))
    batch, channels, _, width = stacked.shape
    return stacked.view(batch, channels, -1, height, width).transpose(1, 2)


def resize(picture: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize ``(B, C, H, W)`` bilinearly to (height, width), with pixel areas aligned, not corners."""
    if picture.shape[-2:] == size:
        return picture
    return F.interpolate(picture, size=size, mode="bilinear", align_corners=False)
