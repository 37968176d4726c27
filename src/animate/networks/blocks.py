"""Convolution blocks that several networks are made of."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from animate.ops.upsampling import convolve_enlarged


class ConvBlock(nn.Module):
    """Convolution, batch norm, ReLU; keeps the size: ``(B, in, H, W)`` to ``(B, out, H, W)``."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int = 3) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel_size, padding=kernel_size // 2)
        self.norm: nn.Module = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve, normalise, rectify."""
        return F.relu(self.norm(self.conv(x)), inplace=True)


class DownBlock(ConvBlock):
    """A ``ConvBlock`` followed by 2x2 average pooling: halves the size."""

    def forward(self, x: Tensor) -> Tensor:
        """Convolve, normalise, rectify, pool."""
        return F.avg_pool2d(super().forward(x), 2)


class UpBlock(ConvBlock):
    """Nearest-neighbour upsampling followed by a ``ConvBlock``: doubles the size."""

    def forward(self, x: Tensor) -> Tensor:
        """Enlarge, convolve, normalise, rectify."""
        enlarged = convolve_enlarged(x, self.conv.weight, self.conv.bias)
        return F.relu(self.norm(enlarged), inplace=True)


class ResBlock(nn.Module):
    """Pre-activation residual block: twice batch norm, ReLU, 3x3 convolution, added to the input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.norm2: nn.Module = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, channels, H, W)`` to the same shape."""
        y: Tensor = self.conv1(F.relu(self.norm1(x), inplace=True))
        y = self.conv2(F.relu(self.norm2(y), inplace=True))
        return x + y


class Hourglass(nn.Module):
    """Encoder and decoder with a skip connection, by concatenation, at every level including the input.

    Level ``i`` has ``min(max_width, width * 2^i)`` channels. The result has the input's size and
    ``out_channels`` channels, the last ``in_channels`` of which are the input itself.

    Args:
        in_channels: channels of the input.
        width: channels after the last decoder block.
        max_width: bound on the channels of any level.
        depth: number of halvings; height and width must divide by ``2^depth``.

    """

    def __init__(self, in_channels: int, width: int, max_width: int, depth: int) -> None:
        super().__init__()
        widths = [min(max_width, width * 2**level) for level in range(depth + 1)]
        self.encoder = nn.ModuleList(
            DownBlock(in_channels if level == 0 else widths[level], widths[level + 1])
            for level in range(depth)
        )
        # Every decoder block but the deepest sees its level's skip beside what comes from below.
        self.decoder = nn.ModuleList(
            UpBlock(widths[level + 1] * (1 if level == depth - 1 else 2), widths[level])
            for level in reversed(range(depth))
        )
        self.out_channels = widths[0] + in_channels

    def forward(self, x: Tensor) -> Tensor:
        """``(B, in_channels, H, W)`` to ``(B, out_channels, H, W)``."""
        skips = [x]
        for down in self.encoder:
            skips.append(down(skips[-1]))
        y = skips.pop()
        for up in self.decoder:
            y = torch.cat([up(y), skips.pop()], dim=1)
        return y


class SpectralNormConv2d(nn.Conv2d):
    """Convolution whose weight is divided by an estimate of its largest singular value.

    Miyato et al., "Spectral Normalization for Generative Adversarial Networks" (2018), algorithm 1: each
    forward pass in training mode takes one step of the power iteration, v from u and then u from v (PyTorch's
    current parametrisation takes them in the other order: other numbers). ``weight`` is the raw weight.
    """

    weight_u: Tensor
    weight_v: Tensor

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int, stride: int = 1, padding: int = 0
    ) -> None:
        super().__init__(in_channels, out_channels, kernel_size, stride, padding)
        rows, columns = self.weight.flatten(1).shape
        self.register_buffer("weight_u", F.normalize(torch.randn(rows), dim=0))
        self.register_buffer("weight_v", F.normalize(torch.randn(columns), dim=0))

    def forward(self, x: Tensor) -> Tensor:
        """Convolve with the normalised weight."""
        convolved: Tensor = self._conv_forward(x, self.weight / self._largest_singular_value(), self.bias)
        return convolved

    def _largest_singular_value(self) -> Tensor:
        """``u^T W v`` with u and v held constant, in float32 under autocast too."""
        with torch.autocast(self.weight.device.type, enabled=False):
            matrix: Tensor = self.weight.flatten(1)
            if self.training:
                self._iterate(matrix.detach())
            # Copies, because the next forward pass overwrites the buffers before this one's backward pass.
            sigma: Tensor = self.weight_u.clone().dot(matrix.mv(self.weight_v.clone()))
            return sigma

    def _iterate(self, matrix: Tensor) -> None:
        """One step of the power iteration, in place: DDP and averaging hold on to the buffers themselves."""
        self.weight_v.copy_(F.normalize(torch.mv(matrix.T, self.weight_u), dim=0))
        self.weight_u.copy_(F.normalize(torch.mv(matrix, self.weight_v), dim=0))
