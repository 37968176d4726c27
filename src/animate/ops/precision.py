"""Which precision values are computed in."""

from __future__ import annotations

import torch
from torch import Tensor


def at_least_float32(x: Tensor) -> Tensor:
    """Convert half precision and integers to float32; float32 and float64 stay as they are.

    For coordinates, probabilities and losses, which autocast would leave in half precision. A network that
    was moved to float64 computes in float64 throughout.
    """
    return x.to(torch.promote_types(x.dtype, torch.float32))
