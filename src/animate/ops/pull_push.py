"""Holes filled by averages of what is known around them, the nearer the more."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def pull_push(pictures: Tensor, known: Tensor) -> Tensor:
    """Fill what is not known, smoothly; what is known stays.

    *Pull*: halve the picture again and again, each pixel being the mean of the known ones below it. *Push*:
    from the smallest size on, what is not known at a size is taken from the next smaller one, enlarged.
    Gortler et al., "The Lumigraph" (1996).

    Args:
        pictures: (B, C, H, W), each pixel times its ``known``: 0 where nothing is known.
        known: (B, 1, H, W) in [0, 1].

    Returns:
        (B, C, H, W); 0 for pictures of which nothing is known.

    """
    size = (pictures.shape[-2], pictures.shape[-1])
    if size == (1, 1):
        return pictures
    share = F.avg_pool2d(known, 2, ceil_mode=True)
    some = (share > 0).to(pictures.dtype)
    means = F.avg_pool2d(pictures, 2, ceil_mode=True) / torch.where(share > 0, share, 1)
    filled = pull_push(means * some, some)
    return pictures + (1 - known) * F.interpolate(filled, size, mode="bilinear", align_corners=False)
