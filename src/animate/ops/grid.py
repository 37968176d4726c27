"""Coordinates of pixels, and Gaussian bumps around points."""

from __future__ import annotations

import torch
from torch import Tensor

from animate.ops.precision import at_least_float32


def pixel_axis(size: int, device: torch.device | None = None) -> Tensor:
    """Coordinates of ``size`` pixel centres along an axis, from -1 to 1: ``(size,)``."""
    return torch.linspace(-1, 1, size, device=device)


def pixel_grid(height: int, width: int, device: torch.device | None = None) -> Tensor:
    """Coordinates ``(x, y)`` in [-1, 1] of every pixel centre: ``(height, width, 2)``.

    The corner pixels' centres lie at -1 and 1, as ``align_corners=True`` has it.
    """
    ys, xs = torch.meshgrid(pixel_axis(height, device), pixel_axis(width, device), indexing="ij")
    return torch.stack([xs, ys], dim=-1)


def affine_grid(maps: Tensor, height: int, width: int) -> Tensor:
    """Map every pixel centre of a picture: ``torch.nn.functional.affine_grid`` with ``align_corners=True``.

    Computed by rows and columns, which is several times faster than a product with each pixel's coordinates
    and differs from it in the rounding only.

    Args:
        maps: ``(B, 2, 3)``, of points (x, y, 1).
        height: of the picture.
        width: of the picture.

    Returns:
        ``(B, height, width, 2)``, (x, y) where each pixel is to be looked up.

    """
    columns = maps[:, :, 0, None] * pixel_axis(width, maps.device).to(maps)
    rows = maps[:, :, 1, None] * pixel_axis(height, maps.device).to(maps) + maps[:, :, 2, None]
    return rows.mT[:, :, None] + columns.mT[:, None]


def gaussian_maps(points: Tensor, size: tuple[int, int], variance: float = 0.01) -> Tensor:
    """Draw ``exp(-|z - p|^2 / (2 variance))`` around each point.

    Args:
        points: ``(B, K, 2)``, (x, y) in [-1, 1].
        size: height and width of the maps.
        variance: in squared units of the coordinates; 0.01 is a sigma of a twentieth of the side.

    Returns:
        ``(B, K, height, width)`` in [0, 1].

    """
    height, width = size
    # A Gaussian is separable: one row and one column per point instead of a full grid of exponentials.
    x, y = at_least_float32(points).unsqueeze(-1).unbind(2)
    row = torch.exp(-0.5 / variance * (pixel_axis(width, points.device) - x).square())
    column = torch.exp(-0.5 / variance * (pixel_axis(height, points.device) - y).square())
    return column.unsqueeze(-1) * row.unsqueeze(-2)
