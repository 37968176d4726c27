"""How much there is to see in a picture: what results over scenes are split by."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from animate.ops.precision import at_least_float32

LEVELS = 64
"""Grey levels that entropy is counted over."""
_LUMA = (0.299, 0.587, 0.114)


def gradient_energy(pictures: Tensor) -> Tensor:
    """Root of the mean squared gradient of the luma, per picture: 0 for one colour.

    Differences of neighbouring pixels, across and down, in units of the full range.

    Args:
        pictures: (B, 3, H, W) in [0, 1].

    Returns:
        (B,).

    """
    grey = _grey(pictures)
    across, down = (grey[:, :, 1:] - grey[:, :, :-1]).square(), (grey[:, 1:] - grey[:, :-1]).square()
    return (across.mean((1, 2)) + down.mean((1, 2))).sqrt()


def entropy(pictures: Tensor) -> Tensor:
    """Shannon's entropy of the luma over 64 levels, in bits per pixel: from 0 for one colour to 6.

    Args:
        pictures: (B, 3, H, W) in [0, 1].

    Returns:
        (B,).

    """
    levels = (_grey(pictures) * LEVELS).long().clamp(0, LEVELS - 1).flatten(1)
    counts = torch.zeros(len(levels), LEVELS, device=levels.device)
    counts.scatter_add_(1, levels, torch.ones_like(levels, dtype=counts.dtype))
    bits: Tensor = torch.special.entr(counts / levels.shape[1]).sum(1) / math.log(2)
    return bits


def _grey(pictures: Tensor) -> Tensor:
    weights = at_least_float32(pictures).new_tensor(_LUMA)
    return torch.einsum("bchw,c->bhw", at_least_float32(pictures), weights)
