"""Reconstruction losses on pixels."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from animate.ops.precision import at_least_float32


def reconstruction_loss(prediction: Tensor, target: Tensor) -> Tensor:
    """Mean absolute difference of two pictures of one shape, in units of the full range [0, 1]."""
    return F.l1_loss(at_least_float32(prediction), at_least_float32(target))
