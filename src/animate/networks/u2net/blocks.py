"""The residual U-blocks that U²-Net is made of.

Qin et al., "U²-Net: Going deeper with nested U-structure for salient object detection" (2020), section 3.1.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class DilatedBlock(nn.Module):
    """3x3 convolution with holes, batch norm, ReLU; keeps the size: ``(B, in, H, W)`` to ``(B, out, H, W)``.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the result.
        dilation: distance of the kernel's pixels.

    """

    def __init__(self, in_channels: int, out_channels: int, dilation: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, 3, padding=dilation, dilation=dilation)
        self.norm = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve, normalise, rectify."""
        return F.relu(self.norm(self.conv(x)), inplace=True)


class ResidualU(nn.Module):
    """A small U-net whose result is added to its own first features.

    Level 0 has the size of the input; each further level halves it (``dilated``: keeps it, and looks twice as
    far instead). The bottom lies at the size of the last level, and looks twice as far as that.

    Args:
        in_channels: channels of the input.
        inner_channels: channels inside of the U.
        out_channels: channels of the result.
        depth: levels with the bottom: the L of the paper's RSU-L.
        dilated: the paper's RSU-4F, which never changes the size.

    """

    def __init__(
        self, in_channels: int, inner_channels: int, out_channels: int, depth: int, dilated: bool = False
    ) -> None:
        super().__init__()
        holes = [2**level if dilated else 1 for level in range(depth - 1)]
        self.dilated = dilated
        self.entry = DilatedBlock(in_channels, out_channels)
        self.encoder = nn.ModuleList(
            DilatedBlock(inner_channels if level else out_channels, inner_channels, hole)
            for level, hole in enumerate(holes)
        )
        self.bottom = DilatedBlock(inner_channels, inner_channels, 2 * holes[-1])
        self.decoder = nn.ModuleList(
            DilatedBlock(2 * inner_channels, inner_channels if level else out_channels, holes[level])
            for level in reversed(range(depth - 1))
        )

    def forward(self, x: Tensor) -> Tensor:
        """``(B, in_channels, H, W)`` to ``(B, out_channels, H, W)``, any H and W."""
        first = y = self.entry(x)
        skips: list[Tensor] = []
        for encode in self.encoder:
            y = encode(y if self.dilated or not skips else halve(y))
            skips.append(y)
        y = self.bottom(y)
        for decode in self.decoder:
            skip = skips.pop()
            y = decode(torch.cat([enlarge(y, skip), skip], dim=1))
        result: Tensor = y + first
        return result


def halve(x: Tensor) -> Tensor:
    """Keep the largest of 2x2 pixels; an odd row or column at the end counts as a whole one."""
    return F.max_pool2d(x, 2, ceil_mode=True)


def enlarge(x: Tensor, like: Tensor) -> Tensor:
    """Bring ``(B, C, h, w)`` to the height and width of ``like``."""
    if x.shape[-2:] == like.shape[-2:]:
        return x
    return F.interpolate(x, like.shape[-2:], mode="bilinear", align_corners=False)
