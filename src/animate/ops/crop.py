"""Square windows of whole pixels: cut out, worked on, and put back with a soft edge. No interpolation."""

from __future__ import annotations

import torch
from torch import Tensor

from animate.ops.precision import at_least_float32


def corners_around(points: Tensor, found: Tensor, side: int, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Place a window of ``side`` pixels around the mean of the points that were found, inside of the picture.

    Where none was found the window lies in the middle of the picture.

    Args:
        points: (B, P, 2), (x, y) in [-1, 1].
        found: (B, P) bool.
        side: of the window, at most that of the picture.
        size: (height, width) of the pictures.

    Returns:
        The windows' upper left corners (B, 2) as int64 (x, y), and whether any point was found (B,).

    """
    weight = found.to(at_least_float32(points).dtype)[..., None]
    centre = (points * weight).sum(1) / weight.sum(1).clamp_min(1)
    extent = torch.tensor([size[1] - 1, size[0] - 1], device=points.device)
    corner = ((centre + 1) / 2 * extent - (side - 1) / 2).round().long()
    return torch.minimum(corner.clamp_min(0), (extent + 1 - side).clamp_min(0)), found.any(1)


def crop(pictures: Tensor, corners: Tensor, side: int) -> Tensor:
    """Cut windows out: (B, C, H, W) and (B, 2) corners to (B, C, side, side)."""
    batch, rows, columns = _places(corners, side)
    return pictures.movedim(1, -1)[batch, rows, columns].movedim(-1, 1)


def paste(pictures: Tensor, crops: Tensor, corners: Tensor, feather: int) -> Tensor:
    """Put windows back: at their rims they fade into the picture.

    Args:
        pictures: (B, C, H, W); not changed.
        crops: (B, C, side, side).
        corners: (B, 2) int64 (x, y), as ``crop`` took them.
        feather: pixels over which a window fades; 0 for a hard edge.

    Returns:
        (B, C, H, W).

    """
    side = crops.shape[-1]
    batch, rows, columns = _places(corners, side)
    edge = torch.arange(side, device=crops.device)
    ramp = ((torch.minimum(edge, side - 1 - edge) + 1) / (feather + 1)).clamp_max(1)
    weight = (ramp[:, None] * ramp)[..., None].to(crops.dtype)
    result = pictures.movedim(1, -1).clone()
    result[batch, rows, columns] = torch.lerp(result[batch, rows, columns], crops.movedim(1, -1), weight)
    return result.movedim(-1, 1)


def _places(corners: Tensor, side: int) -> tuple[Tensor, Tensor, Tensor]:
    """Index the pixels of each window: batch, row and column, to be broadcast to (B, side, side)."""
    steps = torch.arange(side, device=corners.device)
    batch = torch.arange(len(corners), device=corners.device)[:, None, None]
    return batch, (corners[:, 1, None] + steps)[:, :, None], (corners[:, 0, None] + steps)[:, None, :]
