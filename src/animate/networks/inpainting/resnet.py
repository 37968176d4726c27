"""The residual encoder and decoder that fills backgrounds.

Liu et al., "Liquid Warping GAN: A Unified Framework for Human Motion Imitation, Appearance Transfer and Novel
View Synthesis" (2019), its background network, and that of "Liquid Warping GAN with Attention" (2021).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from animate.errors import UserError
from animate.networks.inpainting.padding import to_multiple
from animate.ops.precision import at_least_float32

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Layout = Literal["impersonator", "ipercore"]

FILTERS = (64, 128, 256, 512)
WEIGHT_DEVIATION = 0.02
"""Standard deviation of freshly drawn convolution weights, as published."""


class Style(NamedTuple):
    """In what the layouts differ."""

    bias: bool
    """Of the convolutions that lead down, and of the residual blocks."""
    affine: bool
    """Whether instance norms have a scale and a shift."""
    up_kernel: int
    """Of the transposed convolutions; 3 needs a row and a column more to double the size."""


STYLES: Mapping[Layout, Style] = {
    "impersonator": Style(bias=False, affine=True, up_kernel=3),
    "ipercore": Style(bias=True, affine=False, up_kernel=4),
}


class ConvNorm(nn.Module):
    """A convolution or transposed convolution, instance norm without running statistics, ReLU."""

    def __init__(self, conv: nn.Conv2d | nn.ConvTranspose2d, style: Style) -> None:
        super().__init__()
        self.conv = conv
        self.norm = nn.InstanceNorm2d(conv.out_channels, affine=style.affine)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve, normalise, rectify."""
        return F.relu(self.norm(self.conv(x)), inplace=True)


class ResidualBlock(nn.Module):
    """3x3 convolution, norm, ReLU, 3x3 convolution, norm, added to the input; what lies outside is 0."""

    def __init__(self, channels: int, style: Style) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=style.bias)
        self.norm1 = nn.InstanceNorm2d(channels, affine=style.affine)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=style.bias)
        self.norm2 = nn.InstanceNorm2d(channels, affine=style.affine)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, channels, H, W)`` to the same shape."""
        y: Tensor = self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x)), inplace=True)))
        return x + y


class ResNetInpainter(nn.Module):
    """Halvings, residual blocks at the smallest size, doublings.

    Args:
        layout: which program's network.
        filters: channels after the first layer and after each halving; the doublings go back through them.
        blocks: number of residual blocks.
        in_channels: 4 are published: the picture and the mask of what is known.

    Raises:
        UserError: there are no filters.

    """

    def __init__(
        self,
        layout: Layout = "impersonator",
        filters: Sequence[int] = FILTERS,
        blocks: int = 6,
        in_channels: int = 4,
    ) -> None:
        super().__init__()
        if not filters:
            raise UserError("model.networks.filters: at least one number of channels is needed")
        style, steps = STYLES[layout], range(len(filters) - 1)
        first = nn.Conv2d(in_channels, filters[0], 7, padding=3, bias=style.bias)
        self.stem = ConvNorm(first, style)
        self.downs = nn.Sequential(*(_down(filters[i], filters[i + 1], style) for i in steps))
        self.blocks = nn.Sequential(*(ResidualBlock(filters[-1], style) for _ in range(blocks)))
        self.ups = nn.Sequential(*(_up(filters[i + 1], filters[i], style) for i in reversed(steps)))
        self.head = nn.Conv2d(filters[0], 3, 7, padding=3, bias=False)
        self.multiple = 2 ** len(steps)
        _draw_weights(self)

    def forward(self, x: Tensor) -> Tensor:
        """Make the background.

        Height and width that are no multiples of ``multiple``, or below twice that, are filled up at the
        right and at the bottom by repeating the last column and row, mask included; the result is cut to the
        size of ``x`` again. Of other sizes nothing is padded, and the result is the published network's.

        Args:
            x: (B, in_channels, H, W), as the published programs make it: the picture in [-1, 1], 0 in the
                hole, and the mask of what is known, 1 around the hole.

        Returns:
            (B, 3, H, W) in [0, 1], at least float32: hole and surroundings.

        """
        height, width = x.shape[-2:]
        padded = to_multiple(x, self.multiple)
        y: Tensor = self.head(self.ups(self.blocks(self.downs(self.stem(padded)))))
        return (at_least_float32(y[..., :height, :width]).tanh() + 1) / 2


def _down(in_channels: int, out_channels: int, style: Style) -> ConvNorm:
    return ConvNorm(nn.Conv2d(in_channels, out_channels, 3, stride=2, padding=1, bias=style.bias), style)


def _up(in_channels: int, out_channels: int, style: Style) -> ConvNorm:
    kernel = style.up_kernel
    more = 4 - kernel
    conv = nn.ConvTranspose2d(
        in_channels, out_channels, kernel, 2, padding=1, output_padding=more, bias=False
    )
    return ConvNorm(conv, style)


@torch.no_grad()
def _draw_weights(network: nn.Module) -> None:
    """Draw convolutions from N(0, 0.02), as published; biases start at 0."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d) and not layer.weight.is_meta:
            layer.weight.normal_(0.0, WEIGHT_DEVIATION)
            if layer.bias is not None:
                layer.bias.zero_()
