"""Typical appearances of each class, to draw from where there is no picture to encode.

Wang et al., "High-Resolution Image Synthesis and Semantic Manipulation with Conditional GANs" (2018),
section 3.4: after training, the features of all instances of a class are clustered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from animate.ops.instances import instance_means, number_instances, paint_instances

if TYPE_CHECKING:
    from collections.abc import Iterable

ROUNDS = 100
SMALLEST_SHARE = 1 / 64
"""Of the picture: smaller instances do not count when clusters are made, as published."""


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

    @torch.no_grad()
    def fit(self, encoded: Iterable[tuple[Tensor, Tensor, Tensor]]) -> None:
        """Cluster the features of all instances, class by class.

        Args:
            encoded: features ``(B, features, H, W)`` that are constant over each instance, class maps and
                instance maps, each ``(B, 1, H, W)`` whole numbers. An instance has the class of its pixels.

        """
        found = [_instances(*entry) for entry in encoded]
        values, labels = (torch.cat(column) for column in zip(*found, strict=True))
        for label in range(len(self.counts)):
            centres = k_means(values[labels == label], self.centres.shape[1])
            self.counts[label] = len(centres)
            self.centres[label].zero_()
            self.centres[label, : len(centres)] = centres

    def sample(self, label: Tensor, instance: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Draw one of its class's typical appearances for each instance.

        Args:
            label: ``(B, 1, H, W)`` whole numbers, the classes.
            instance: ``(B, 1, H, W)`` whole numbers.
            generator: on the CPU; None for PyTorch's own.

        Returns:
            ``(B, features, H, W)``; zeros where a class has no clusters.

        """
        numbered, count = number_instances(instance)
        labels = _class_of_each(label, numbered, count)
        draws = torch.rand(count, generator=generator).to(label.device)
        chosen = (draws * self.counts[labels]).long()
        return paint_instances(self.centres[labels, chosen], numbered)


def k_means(values: Tensor, most: int) -> Tensor:
    """Cluster ``(N, D)`` values into at most ``most`` groups: Lloyd's algorithm; without chance.

    Each first centre is the value farthest from those before it, starting at the mean.

    Returns:
        ``(K, D)`` centres; K is less than ``most`` where there are fewer different values.

    """
    if not len(values):
        return values
    centres = _far_apart(values, most)
    for _ in range(ROUNDS):
        nearest = torch.cdist(values, centres).argmin(dim=1)
        groups = (values[nearest == k] for k in range(len(centres)))
        moved = torch.stack([group.mean(dim=0) for group in groups if len(group)])
        if moved.shape == centres.shape and torch.equal(moved, centres):
            break
        centres = moved
    return centres


def _far_apart(values: Tensor, most: int) -> Tensor:
    """Choose different values, each the farthest from those before it."""
    centres = values[:0]
    distance = (values - values.mean(dim=0)).norm(dim=1) + 1  # of equal values, one
    while len(centres) < most and distance.max() > 0:
        centres = torch.cat([centres, values[distance.argmax()].unsqueeze(0)])
        distance = (values.unsqueeze(1) - centres).norm(dim=2).amin(dim=1)
    return centres


def _instances(features: Tensor, label: Tensor, instance: Tensor) -> tuple[Tensor, Tensor]:
    """Features and class of every instance that is large enough."""
    numbered, count = number_instances(instance)
    means, areas = instance_means(features, numbered, count)
    large = areas > SMALLEST_SHARE * instance[0].numel()
    return means[large], _class_of_each(label, numbered, count)[large]


def _class_of_each(label: Tensor, numbered: Tensor, count: int) -> Tensor:
    """Take the smallest class among the pixels of each instance: ``(N,)``."""
    start = torch.full((count,), int(label.max()), dtype=torch.long, device=label.device)
    return start.scatter_reduce(0, numbered.flatten(), label.long().flatten(), "amin")
