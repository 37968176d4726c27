"""From a picture of one kind to a picture of another, coarse to fine.

Wang et al., "High-Resolution Image Synthesis and Semantic Manipulation with Conditional GANs" (2018),
section 3.1 and figure 3.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from animate.errors import UserError
from animate.networks.pix2pixhd.blocks import (
    Norm,
    Recomputable,
    ResidualBlock,
    down,
    draw_weights,
    stem,
    up,
)
from animate.ops.precision import at_least_float32


class Trunk(nn.Module):
    """The global part without its last layer: halvings, residual blocks, doublings.

    Args:
        in_channels: channels of the input.
        width: channels after the first layer and of the result; doubled by each halving.
        depth: number of halvings.
        blocks: number of residual blocks at the smallest size.
        norm: which norm.

    """

    def __init__(self, in_channels: int, width: int, depth: int, blocks: int, norm: Norm) -> None:
        super().__init__()
        widths = [width * 2**level for level in range(depth + 1)]
        self.stem = stem(in_channels, width, norm)
        self.downs = nn.Sequential(*(down(widths[i], widths[i + 1], norm) for i in range(depth)))
        self.blocks = nn.Sequential(*(ResidualBlock(widths[-1], norm) for _ in range(blocks)))
        self.ups = nn.Sequential(*(up(widths[i + 1], widths[i], norm) for i in reversed(range(depth))))

    def forward(self, x: Tensor) -> Tensor:
        """``(B, in_channels, H, W)`` to ``(B, width, H, W)``."""
        y: Tensor = self.ups(self.blocks(self.downs(self.stem(x))))
        return y


class Enhancer(nn.Module):
    """A local enhancer: doubles the size of what the coarser part made, with detail of the finer input.

    Args:
        in_channels: channels of the input.
        width: channels of the result; those of the coarser part are twice as many.
        blocks: number of residual blocks.
        norm: which norm.

    """

    def __init__(self, in_channels: int, width: int, blocks: int, norm: Norm) -> None:
        super().__init__()
        self.stem = stem(in_channels, width, norm)
        self.down = down(width, 2 * width, norm)
        self.blocks = nn.Sequential(*(ResidualBlock(2 * width, norm) for _ in range(blocks)))
        self.up = up(2 * width, width, norm)

    def forward(self, x: Tensor, coarse: Tensor) -> Tensor:
        """``(B, in_channels, H, W)`` and ``(B, 2 width, H/2, W/2)`` to ``(B, width, H, W)``."""
        y: Tensor = self.up(self.blocks(self.down(self.stem(x)) + coarse))
        return y


class Translator(nn.Module):
    """The global generator, and with ``enhancers`` the coarse-to-fine one, as published.

    The input is halved once for each enhancer; the global part works on the smallest copy, and each enhancer
    adds what it sees in the next larger one.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the result.
        width: channels after the global part's first layer; each enhancer has half as many as the part before
            it (the published enhancer of width 32 goes with a global part of width 64).
        depth: halvings inside of the global part.
        blocks: residual blocks of the global part.
        enhancers: number of local enhancers; 0 is the global generator alone.
        enhancer_blocks: residual blocks of each enhancer.
        norm: ``instance`` or ``batch``.

    Raises:
        UserError: the width cannot be halved that often.

    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int = 3,
        width: int = 64,
        depth: int = 4,
        blocks: int = 9,
        enhancers: int = 0,
        enhancer_blocks: int = 3,
        norm: Norm = "instance",
    ) -> None:
        super().__init__()
        if width % 2**enhancers:
            raise UserError(f"width {width} cannot be halved {enhancers} times, once for each local enhancer")
        widths = [width // 2 ** (number + 1) for number in range(enhancers)]
        self.multiple = 2 ** (depth + enhancers)
        # Mirroring three pixels at the border takes four, one takes two, and so does a norm over pixels.
        self.smallest = 2**enhancers * max(4, 2 * 2**depth)
        self.trunk = Trunk(in_channels, width, depth, blocks, norm)
        self.enhancers = nn.ModuleList(
            Enhancer(in_channels, narrower, enhancer_blocks, norm) for narrower in widths
        )
        last = [width, *widths][-1]
        self.head = nn.Conv2d(last, out_channels, 7, padding=3, padding_mode="reflect")
        draw_weights(self)

    def recompute(self, enabled: bool = True) -> None:
        """Keep each block's input only, and compute the block again in the backward pass: less memory."""
        for module in self.modules():
            if isinstance(module, Recomputable):
                module.recompute = enabled

    def translate(self, x: Tensor) -> Tensor:
        """``(B, in_channels, H, W)`` to ``(B, out_channels, H, W)`` in [-1, 1], at least float32.

        Raises:
            UserError: height or width is no multiple of ``self.multiple``, or less than ``self.smallest``.

        """
        self._check_size(x)
        finer = [x]
        for _ in self.enhancers:
            finer.append(halve(finer[-1]))
        y: Tensor = self.trunk(finer.pop())
        for enhancer in self.enhancers:
            y = enhancer(finer.pop(), y)
        return torch.tanh(at_least_float32(self.head(y)))

    def _check_size(self, x: Tensor) -> None:
        height, width = x.shape[-2:]
        if height % self.multiple or width % self.multiple or min(height, width) < self.smallest:
            raise UserError(
                f"height and width must be multiples of {self.multiple} and at least {self.smallest}, "
                f"not {height} x {width}"
            )


class Generator(Translator):
    """Makes pictures; arguments as of ``Translator``."""

    def forward(self, x: Tensor) -> Tensor:
        """``(B, in_channels, H, W)`` to RGB pictures ``(B, 3, H, W)`` in [0, 1]."""
        return to_picture(self.translate(x))


def halve(x: Tensor) -> Tensor:
    """Average over 3x3 pixels, those outside not counted, at every second pixel."""
    return F.avg_pool2d(x, 3, stride=2, padding=1, count_include_pad=False)


def to_picture(x: Tensor) -> Tensor:
    """Networks' range [-1, 1] to that of pictures, [0, 1]."""
    return (x + 1) / 2


def from_picture(picture: Tensor) -> Tensor:
    """Pictures' range [0, 1] to that of the networks, [-1, 1]."""
    return 2 * picture - 1
