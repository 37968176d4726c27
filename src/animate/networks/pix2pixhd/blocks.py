"""Blocks of pix2pixHD's networks. Each can be computed again in the backward pass instead of being kept."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

if TYPE_CHECKING:
    from collections.abc import Iterator

Norm = Literal["instance", "batch"]
"""Instance norm without parameters and running statistics, or batch norm with both."""

WEIGHT_DEVIATION = 0.02
"""Standard deviation of freshly drawn convolution weights."""


def norm_layer(norm: Norm, channels: int) -> nn.Module:
    """Make the norm of a layer."""
    return nn.InstanceNorm2d(channels) if norm == "instance" else nn.BatchNorm2d(channels)


def draw_weights(module: nn.Module) -> None:
    """Draw weights as the reference does: N(0, 0.02) for convolutions, N(1, 0.02) for batch norm's scale.

    Biases of convolutions keep PyTorch's own initialisation.
    """
    for layer in module.modules():
        # Nothing to draw without memory; PyTorch would import for seconds to do nothing.
        if any(parameter.is_meta for parameter in layer.parameters(recurse=False)):
            continue
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(layer.weight, 0.0, WEIGHT_DEVIATION)
        elif isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.weight, 1.0, WEIGHT_DEVIATION)


class Recomputable(nn.Module):
    """A block that keeps only its input for the backward pass where ``recompute`` is set.

    Memory for time: Chen et al., "Training Deep Nets with Sublinear Memory Cost" (2016). The gradients are
    the same, and so are batch norm's running statistics, which move once.
    """

    recompute = False

    def forward(self, x: Tensor) -> Tensor:
        """Compute the block, perhaps to be computed again in the backward pass."""
        if not (self.recompute and torch.is_grad_enabled()):
            return self.compute(x)
        again = lambda: (nullcontext(), _statistics_still(self))  # noqa: E731
        y: Tensor = checkpoint(
            self.compute, x, use_reentrant=False, preserve_rng_state=False, context_fn=again
        )
        return y

    def compute(self, x: Tensor) -> Tensor:
        """Do what the block is for."""
        raise NotImplementedError


@contextmanager
def _statistics_still(block: nn.Module) -> Iterator[None]:
    """Keep batch norm from counting a batch that it has counted already."""
    norms = [layer for layer in block.modules() if isinstance(layer, nn.BatchNorm2d | nn.SyncBatchNorm)]
    before = [(layer.momentum, layer.num_batches_tracked) for layer in norms]
    for layer in norms:
        layer.momentum, layer.num_batches_tracked = 0.0, None
    try:
        yield
    finally:
        for layer, (momentum, count) in zip(norms, before, strict=True):
            layer.momentum, layer.num_batches_tracked = momentum, count


class ConvNorm(Recomputable):
    """A convolution, its norm, ReLU.

    Args:
        conv: any convolution or transposed convolution.
        norm: which norm follows.

    """

    def __init__(self, conv: nn.Conv2d | nn.ConvTranspose2d, norm: Norm) -> None:
        super().__init__()
        self.conv = conv
        self.norm = norm_layer(norm, conv.out_channels)

    def compute(self, x: Tensor) -> Tensor:
        """Convolve, normalise, rectify."""
        return F.relu(self.norm(self.conv(x)), inplace=True)


def stem(in_channels: int, out_channels: int, norm: Norm) -> ConvNorm:
    """7x7, the picture mirrored at its border; keeps the size."""
    return ConvNorm(nn.Conv2d(in_channels, out_channels, 7, padding=3, padding_mode="reflect"), norm)


def down(in_channels: int, out_channels: int, norm: Norm) -> ConvNorm:
    """3x3 with stride 2: halves the size."""
    return ConvNorm(nn.Conv2d(in_channels, out_channels, 3, stride=2, padding=1), norm)


def up(in_channels: int, out_channels: int, norm: Norm) -> ConvNorm:
    """Transposed 3x3 with stride 2: doubles the size."""
    return ConvNorm(
        nn.ConvTranspose2d(in_channels, out_channels, 3, stride=2, padding=1, output_padding=1), norm
    )


class ResidualBlock(Recomputable):
    """3x3 convolution, norm, ReLU, 3x3 convolution, norm, added to the input; borders are mirrored."""

    def __init__(self, channels: int, norm: Norm) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect")
        self.norm1 = norm_layer(norm, channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect")
        self.norm2 = norm_layer(norm, channels)

    def compute(self, x: Tensor) -> Tensor:
        """``(B, channels, H, W)`` to the same shape."""
        y: Tensor = F.relu(self.norm1(self.conv1(x)), inplace=True)
        y = self.norm2(self.conv2(y))
        return x + y
