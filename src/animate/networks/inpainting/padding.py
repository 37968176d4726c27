"""Sizes that do not divide."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def to_multiple(x: Tensor, multiple: int) -> Tensor:
    """Fill up height and width at the right and at the bottom, by repeating the last column and row.

    Args:
        x: (B, C, H, W).
        multiple: what both become multiples of, at least twice that.

    """
    height, width = x.shape[-2:]
    missing = [max(-(-side // multiple), 2) * multiple - side for side in (height, width)]
    return F.pad(x, (0, missing[1], 0, missing[0]), mode="replicate") if any(missing) else x
