"""Enlarging followed by convolution, as one operation."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

LARGE_MAP = 32 * 32
"""Pixels of a map from which on one transposed convolution is the faster way (measured on a CPU)."""


def convolve_enlarged(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Double a map by nearest neighbours, then convolve it with zeros around.

    Three taps in a row fall on two different pixels of the small map, so the same sums need 4 products in
    place of 9: a transposed convolution of stride 2 whose 4x4 kernel is the 3x3 one blurred by a 2x2 box. The
    enlarged map is never made. On small maps, which have many channels, kernels cost more than pixels: there
    the two steps are taken as they stand. So they are in exported graphs, which keep the kernel as it was
    trained: others round it to 8 bits, and store it in half precision.

    Args:
        x: ``(B, in, H, W)``.
        weight: ``(out, in, 3, 3)``.
        bias: ``(out,)``.

    Returns:
        ``(B, out, 2 H, 2 W)``.

    """
    if torch.compiler.is_exporting() or x.shape[-2] * x.shape[-1] < LARGE_MAP:
        return F.conv2d(F.interpolate(x, scale_factor=2, mode="nearest"), weight, bias, padding=1)
    padded = F.pad(weight, (1, 1, 1, 1))
    rows = padded[..., 1:, :] + padded[..., :-1, :]
    blurred = rows[..., 1:] + rows[..., :-1]
    # A convolution correlates; its transpose does not, and names the inputs first.
    return F.conv_transpose2d(x, blurred.flip(-1, -2).transpose(0, 1), bias, stride=2, padding=1)
