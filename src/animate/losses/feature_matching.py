"""Feature matching between made and real pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Sequence


def feature_matching_loss(fake: Sequence[Tensor], real: Sequence[Tensor]) -> Tensor:
    """Sum over a discriminator's layers of the mean absolute difference of its features.

    Wang et al., "High-Resolution Image Synthesis with Conditional GANs" (2018), equation 4. The real features
    are the goal: no gradient flows into them.
    """
    return torch.stack([F.l1_loss(made, goal.detach()) for made, goal in zip(fake, real, strict=True)]).sum()
