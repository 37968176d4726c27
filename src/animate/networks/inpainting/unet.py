"""A U-net that chooses among guesses and corrects them: our own alternative to the published networks.

Those begin with a picture of which nothing is right and take instance norms throughout, which forget how
bright a picture is; so they learn first, and long, to show what is already known. Here every pixel of the
hole has five guesses to begin with, the average of what is around it and what is seen first in four
directions, there is no norm, and the network says how far to believe each, and what is missing. Ronneberger
et al., "U-Net" (2015); blocks with holes as in Iizuka et al., "Globally and Locally Consistent Image
Completion" (2017).
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from animate.errors import UserError
from animate.networks.inpainting.padding import to_multiple
from animate.ops.first_known import DIRECTIONS, first_known
from animate.ops.precision import at_least_float32
from animate.ops.pull_push import pull_push

if TYPE_CHECKING:
    from collections.abc import Sequence

PICTURE = 3
GUESSES = 1 + DIRECTIONS
FINE = 2
"""Pixels in a row that are put together into one place of the first layer."""
DILATIONS = 4
"""Kinds of residual blocks: the first looks at neighbours, each further one twice as far."""
SLOPE = 0.2
SMALL = 0.3
"""Of what a residual block adds: without norms sums would grow from block to block."""
AVERAGE_FIRST = 4.0
"""Logit by which the average is believed more than the other guesses before anything is learned."""


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
    """Five guesses for every pixel, which a U-net weighs and corrects; fresh, it shows the first of them.

    The guesses are an average of what is around the hole (``ops.pull_push``) and what is seen first to the
    left, to the right, up and down (``ops.first_known``).

    Args:
        filters: channels at half the picture's size and after each halving.
        blocks: number of residual blocks at the smallest size.

    Raises:
        UserError: there are no filters.

    """

    def __init__(self, filters: Sequence[int], blocks: int) -> None:
        super().__init__()
        if not filters:
            raise UserError("model.networks.filters: at least one number of channels is needed")
        steps = list(pairwise(filters))
        seen = PICTURE + 1 + PICTURE + DIRECTIONS * (PICTURE + 1)
        self.stem = nn.Conv2d(seen * FINE**2, filters[0], 3, padding=1)
        self.downs = nn.ModuleList(nn.Conv2d(fine, coarse, 3, 2, padding=1) for fine, coarse in steps)
        self.blocks = nn.Sequential(
            *(DilatedResidual(filters[-1], 2 ** (i % DILATIONS)) for i in range(blocks))
        )
        self.ups = nn.ModuleList(
            nn.Conv2d(coarse + fine, fine, 3, padding=1) for fine, coarse in reversed(steps)
        )
        self.head = nn.Conv2d(filters[0], (PICTURE + GUESSES) * FINE**2, 3, padding=1)
        self.multiple = FINE * 2 ** len(steps)
        self._draw_weights()

    def forward(self, x: Tensor) -> Tensor:
        """Make the background; see ``ResNetInpainter.forward`` for ``x``, the sizes and the result."""
        height, width = x.shape[-2:]
        padded = to_multiple(x, self.multiple)
        picture, known = padded[:, :PICTURE], padded[:, PICTURE:]
        average, seen = pull_push(picture, known), first_known(picture, known)
        around = seen.colours.flatten(1, 2)
        correction, logits = self._judged(torch.cat([padded, average, around, seen.distance], dim=1))
        belief = logits.masked_fill(~_with_average(seen.found), -torch.inf).softmax(1)
        guesses = torch.cat([average[:, None], seen.colours], dim=1)
        made = (belief[:, :, None] * guesses).sum(1) + correction
        return (_within(at_least_float32(made[..., :height, :width])) + 1) / 2

    def _judged(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Give what is to be added (B, 3, H, W), and the guesses' logits (B, 5, H, W)."""
        skips = [leaky(self.stem(F.pixel_unshuffle(x, FINE)))]
        for down in self.downs:
            skips.append(leaky(down(skips[-1])))
        y: Tensor = self.blocks(skips.pop())
        for up in self.ups:
            skip = skips.pop()
            enlarged = F.interpolate(y, skip.shape[-2:], mode="nearest")
            y = leaky(up(torch.cat([enlarged, skip], dim=1)))
        judged = F.pixel_shuffle(self.head(y), FINE)
        correction, first, others = (
            judged[:, :PICTURE],
            judged[:, PICTURE : PICTURE + 1],
            judged[:, -DIRECTIONS:],
        )
        return correction, torch.cat([first + AVERAGE_FIRST, others], dim=1)

    @torch.no_grad()
    def _draw_weights(self) -> None:
        """Keep the size of signals (He et al., 2015); the last layer starts at 0."""
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d) and not layer.weight.is_meta:
                nn.init.kaiming_normal_(layer.weight, a=SLOPE)
                assert layer.bias is not None
                layer.bias.zero_()
        self.head.weight.zero_()


def _with_average(found: Tensor) -> Tensor:
    """Say which guesses there are: the average always is."""
    return torch.cat([torch.ones_like(found[:, :1]), found], dim=1)


def _within(x: Tensor) -> Tensor:
    """Keep to [-1, 1]; gradients pass, or a pixel that was once too bright would never learn again."""
    return x + (x.clamp(-1, 1) - x).detach()
