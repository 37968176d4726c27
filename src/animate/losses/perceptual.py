"""Perceptual distance: the difference of two pictures as a classification network sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from animate.errors import UserError
from animate.ops.precision import at_least_float32
from animate.ops.pyramid import ImagePyramid

if TYPE_CHECKING:
    from collections.abc import Sequence


class PerceptualLoss:
    """Sum of the mean absolute differences of network features over layers and scales.

    Johnson et al., "Perceptual Losses for Real-Time Style Transfer" (2016), in the multi-scale form of
    Siarohin et al. (2019), section 3.3. Pyramid levels under 16 pixels are dropped (``ops.pyramid``).

    This is no ``nn.Module`` on purpose: a module that holds it does not take the feature network into its
    ``state_dict``, its optimiser or DDP. The network moves by itself to the device of the pictures, and
    copies of this object (averaged weights copy whole modules) share it, because nothing ever changes it.

    Args:
        features: maps ``(B, 3, H, W)`` in [0, 1] to a list of feature maps (``networks.vgg.vgg19_random``).
        scales: number of pyramid levels, 1, 1/2, 1/4, ...
        weights: how much each layer counts, the finest first; None for 1 each.
        standardise: False for a feature network that is to see pictures in [-1, 1] as they are, without
            ImageNet's normalisation; it is told so by ``standardise=False``.

    The published pix2pixHD has ``scales=1, weights=(1/32, 1/16, 1/8, 1/4, 1), standardise=False``.

    Raises:
        UserError: there is no scale.

    """

    def __init__(
        self,
        features: nn.Module,
        scales: int = 4,
        weights: Sequence[float] | None = None,
        standardise: bool = True,
    ) -> None:
        if scales < 1:
            raise UserError(f"model.perceptual.scales={scales}: must be at least 1")
        self._features = features.eval().requires_grad_(False).to(memory_format=torch.channels_last)
        self._pyramid = ImagePyramid(scales)
        self._weights = None if weights is None else list(weights)
        self._options = {} if standardise else {"standardise": False}
        self._device = torch.device("cpu")

    def __call__(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Compare ``(B, 3, H, W)`` RGB pictures in [0, 1]; gradients flow into the prediction only."""
        self._move_to(prediction.device)
        with torch.no_grad():
            goals = [self._features(level, **self._options) for level in self._pyramid(target)]
        terms = [
            term
            for level, layers in zip(self._pyramid(prediction), goals, strict=True)
            for term in self._terms(self._features(level, **self._options), layers)
        ]
        return torch.stack(terms).sum()

    def compile(self) -> None:
        """Let PyTorch compile the feature network, at its first use."""
        self._features.compile()

    def _terms(self, made: Sequence[Tensor], goals: Sequence[Tensor]) -> list[Tensor]:
        """Weigh the distances of the layers of one scale."""
        weights = [1.0] * len(made) if self._weights is None else self._weights
        return [
            weight * F.l1_loss(at_least_float32(layer), at_least_float32(goal))
            for weight, layer, goal in zip(weights, made, goals, strict=True)
        ]

    def __deepcopy__(self, memo: dict[int, object]) -> PerceptualLoss:
        """Share the frozen network between copies."""
        return self

    def _move_to(self, device: torch.device) -> None:
        if device != self._device:
            self._features.to(device)
            self._pyramid.to(device)
            self._device = device
