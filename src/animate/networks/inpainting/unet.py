"""A U-net that corrects a coarse fill: our own alternative to the published networks.

Those begin with a picture of which nothing is right and take instance norms throughout, which forget how
bright a picture is; so they learn first, and long, to show what is already known. Here the hole is filled by
averages to begin with, there is no norm, and the network adds what is missing. Ronneberger et al., "U-Net"
(2015); blocks with holes as in Iizuka et al., "Globally and Locally Consistent Image Completion" (2017).
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from animate.errors import UserError
from animate.networks.inpainting.padding import to_multiple
from animate.ops.precision import at_least_float32
from animate.ops.pull_push import pull_push

if TYPE_CHECKING:
    from collections.abc import Sequence

PICTURE = 3
DILATIONS = 4
"""Kinds of residual blocks: the first looks at neighbours, each further one twice as far."""
SLOPE = 0.2
SMALL = 0.3
"""Of what a residual block adds: without norms sums would grow from block to block."""


def leaky(x: Tensor) -> Tensor:
    """Leaky ReLU: with a plain one, the features before the last layer die within a hundred steps."""
    return F.leaky_relu(x, SLOPE, inplace=True)


class DilatedResidual(nn.Module):
    """3x3 convolution with holes, leaky ReLU, 3x3 convolution, a share of which is added to the input."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=dilation, dilation=dilation)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, channels, H, W)`` to the same shape."""
        added: Tensor = self.conv2(leaky(self.conv1(x)))
        return x + SMALL * added


class UNetInpainter(nn.Module):
    """A fill by averages (``ops.pull_push``), and what a U-net adds to it; fresh, it adds nothing.

    Args:
        filters: channels at full size and after each halving.
        blocks: number of residual blocks at the smallest size.

    Raises:
        UserError: there are no filters.

    """

    def __init__(self, filters: Sequence[int], blocks: int) -> None:
        super().__init__()
        if not filters:
            raise UserError("model.networks.filters: at least one number of channels is needed")
        steps = list(pairwise(filters))
        self.stem = nn.Conv2d(2 * PICTURE + 1, filters[0], 3, padding=1)
        self.downs = nn.ModuleList(nn.Conv2d(fine, coarse, 3, 2, padding=1) for fine, coarse in steps)
        self.blocks = nn.Sequential(
            *(DilatedResidual(filters[-1], 2 ** (i % DILATIONS)) for i in range(blocks))
        )
        self.ups = nn.ModuleList(
            nn.Conv2d(coarse + fine, fine, 3, padding=1) for fine, coarse in reversed(steps)
        )
        self.head = nn.Conv2d(filters[0], PICTURE, 3, padding=1)
        self.multiple = 2 ** len(steps)
        self._draw_weights()

    def forward(self, x: Tensor) -> Tensor:
        """Make the background; see ``ResNetInpainter.forward`` for ``x``, the sizes and the result."""
        height, width = x.shape[-2:]
        padded = to_multiple(x, self.multiple)
        coarse = pull_push(padded[:, :PICTURE], padded[:, PICTURE:])
        y = coarse + self._correction(torch.cat([padded, coarse], dim=1))
        return (at_least_float32(y[..., :height, :width]).clamp(-1, 1) + 1) / 2

    def _correction(self, x: Tensor) -> Tensor:
        skips = [leaky(self.stem(x))]
        for down in self.downs:
            skips.append(leaky(down(skips[-1])))
        y: Tensor = self.blocks(skips.pop())
        for up in self.ups:
            skip = skips.pop()
            enlarged = F.interpolate(y, skip.shape[-2:], mode="nearest")
            y = leaky(up(torch.cat([enlarged, skip], dim=1)))
        made: Tensor = self.head(y)
        return made

    @torch.no_grad()
    def _draw_weights(self) -> None:
        """Keep the size of signals (He et al., 2015); the last layer starts at 0."""
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d) and not layer.weight.is_meta:
                nn.init.kaiming_normal_(layer.weight, a=SLOPE)
                assert layer.bias is not None
                layer.bias.zero_()
        self.head.weight.zero_()
