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


def multiscale_feature_matching_loss(
    fake: Sequence[Sequence[Tensor]], real: Sequence[Sequence[Tensor]]
) -> Tensor:
    """Four times the mean over scales and layers of the mean absolute difference of features.

    The published pix2pixHD weighs each layer by ``4 / (n_layers + 1)`` and each scale by ``1 / num_D``; a
    discriminator of ``n_layers`` with stride 2 has ``n_layers + 1`` layers with features.

    Args:
        fake: for each scale the features of its layers.
        real: the same of the real pictures; no gradient flows into them.

    """
    scales = [
        4 / len(made) * feature_matching_loss(made, goal) for made, goal in zip(fake, real, strict=True)
    ]
    return torch.stack(scales).mean()
