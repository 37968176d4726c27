"""Typical appearances of each class, to draw from where there is no picture to encode.

Wang et al., "High-Resolution Image Synthesis and Semantic Manipulation with Conditional GANs" (2018),
section 3.4: after training, the features of all instances of a class are clustered.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

ROUNDS = 100


class FeatureClusters(nn.Module):
    """The centres of the clusters of each class; none until ``fit``.

    Args:
        labels: number of classes.
        clusters: most clusters of a class.
        features: how many features an instance has.

    """

    centres: Tensor
    counts: Tensor

    def __init__(self, labels: int, clusters: int, features: int) -> None:
        super().__init__()
        self.register_buffer("centres", torch.zeros(labels, clusters, features))
        self.register_buffer("counts", torch.zeros(labels, dtype=torch.long))
