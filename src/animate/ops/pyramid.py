"""Shrinking pictures without aliasing."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from animate.ops.precision import at_least_float32

SMALLEST_LEVEL = 16
"""Pyramid levels with a shorter side than this are dropped: VGG's deepest layer in use has stride 16."""


def gaussian_kernel(factor: int) -> Tensor:
    """One-dimensional anti-alias kernel for shrinking by ``factor`` > 1, of sum 1.

    Standard deviation ``(factor - 1) / 2`` pixels, ``2 round(4 sigma) + 1`` taps.
    """
    sigma = (factor - 1) / 2
    taps = 2 * round(4 * sigma) + 1
    kernel = torch.exp(-0.5 * ((torch.arange(taps) - taps // 2) / sigma).square())
    return kernel / kernel.sum()


class AntiAliasDownsample(nn.Module):
    """Blur with a Gaussian, zeros outside of the picture, then take every ``factor``-th pixel.

    The kernel follows from the factor, so it is computed here and never stored in a checkpoint.
    ``(B, C, H, W)`` becomes ``(B, C, ceil(H / factor), ceil(W / factor))``, at least float32; a factor of 1
    passes the picture through.
    """

    kernel: Tensor

    def __init__(self, factor: int) -> None:
        super().__init__()
        self.factor = factor
        kernel = gaussian_kernel(factor) if factor > 1 else torch.ones(1)
        self.register_buffer("kernel", kernel, persistent=False)

    def forward(self, picture: Tensor) -> Tensor:
        """Shrink ``(B, C, H, W)``."""
        if self.factor == 1:
            return picture
        # Blur and stride along one axis are one banded matrix: two products take a fifth of the time of a
        # strided depthwise convolution, a hundredth of that of blurring at full size first (CPU, 256 pixels).
        with torch.autocast(picture.device.type, enabled=False):
            rows, columns = self._blur_matrix(picture.shape[-2]), self._blur_matrix(picture.shape[-1])
            return rows @ at_least_float32(picture) @ columns.T

    def _blur_matrix(self, size: int) -> Tensor:
        """Blur and stride along one axis as a matrix: ``(ceil(size / factor), size)``."""
        taps, device = len(self.kernel), self.kernel.device
        centres = torch.arange(0, size, self.factor, device=device)
        tap = torch.arange(size, device=device) - centres.unsqueeze(1) + taps // 2
        inside = (tap >= 0) & (tap < taps)
        return torch.where(inside, self.kernel[tap.clamp(0, taps - 1)], 0.0)


class ImagePyramid(nn.Module):
    """A picture at scales 1, 1/2, 1/4, ..., each shrunk from the original.

    Levels whose shorter side would fall below ``smallest`` pixels are dropped, so the same setting serves
    every image size: 4 levels at 128 pixels and more, 3 at 64.
    """

    def __init__(self, levels: int = 4, smallest: int = SMALLEST_LEVEL) -> None:
        super().__init__()
        self.smallest = smallest
        self.downsamples = nn.ModuleList(AntiAliasDownsample(2**level) for level in range(levels))

    def forward(self, picture: Tensor) -> list[Tensor]:
        """Shrink ``(B, C, H, W)`` to every level that is large enough, the largest first."""
        kept = (min(picture.shape[-2:]) // self.smallest).bit_length()
        return [downsample(picture) for downsample in self.downsamples[:kept]]
