"""Losses on mattes: how far maps of a figure are from the true one.

Maps are (B, 1, H, W); results are scalars, means over the batch.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from kornia.metrics import ssim
from torch import Tensor

from animate.ops.precision import at_least_float32

SSIM_WINDOW = 11


def cross_entropy(logits: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
    """Mean binary cross entropy of a map before its sigmoid.

    Args:
        logits: of the map.
        target: in [0, 1].
        weight: of each pixel, (B, 1, H, W); their sum counts as one picture.

    """
    each = F.binary_cross_entropy_with_logits(
        at_least_float32(logits), at_least_float32(target), reduction="none"
    )
    return _mean(each, weight)


def iou_loss(matte: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
    """1 - intersection over union of soft maps (Rahman and Wang, 2016), each picture by itself.

    Args:
        matte: in [0, 1].
        target: in [0, 1].
        weight: of each pixel.

    """
    matte, target = at_least_float32(matte), at_least_float32(target)
    both = matte * target
    either = matte + target - both
    if weight is not None:
        both, either = both * weight, either * weight
    # The 1 is one pixel: without it two empty maps would be as far apart as can be.
    return (1 - (both.sum((1, 2, 3)) + 1) / (either.sum((1, 2, 3)) + 1)).mean()


def ssim_loss(matte: Tensor, target: Tensor) -> Tensor:
    """1 - structural similarity, window 11 (Qin et al., "BASNet", 2019); sides must be above 5 pixels."""
    similarity = ssim(at_least_float32(matte), at_least_float32(target), SSIM_WINDOW)
    return 1 - similarity.mean()


def boundary_weight(target: Tensor, strength: float, window: int = 31) -> Tensor:
    """Weigh pixels by how unlike their surroundings they are: 1 far from boundaries, more near to them.

    ``1 + strength * |mean over window - value|``, as the pixel position aware loss of Wei et al., "F³Net"
    (2020), with strength 5 there; what lies outside of the picture does not count.

    Args:
        target: the true maps, in [0, 1].
        strength: of the boundary, at least 0.
        window: side of the square that is averaged over, odd.

    """
    around = F.avg_pool2d(target, window, stride=1, padding=window // 2, count_include_pad=False)
    return 1 + strength * (around - target).abs()


def _mean(each: Tensor, weight: Tensor | None) -> Tensor:
    if weight is None:
        return each.mean()
    inner = (each * weight).sum((1, 2, 3)) / weight.sum((1, 2, 3))
    return torch.mean(inner)
