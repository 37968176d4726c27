"""The patch discriminator."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from animate.networks.blocks import SpectralNormConv2d
from animate.networks.fomm.dense_motion import KEYPOINT_VARIANCE
from animate.networks.judgement import Judgement
from animate.ops.grid import gaussian_maps
from animate.ops.precision import at_least_float32

KERNEL = 4


class Discriminator(nn.Module):
    """Picture to a map of scores, one per patch.

    Blocks of 4x4 convolution without padding, instance norm (not in the first), leaky ReLU, 2x2 average
    pooling (not in the last); then a 1x1 convolution.
    Block ``i`` has ``min(max_width, width * 2^(i + 1))`` channels.

    Args:
        num_keypoints: K, of use with ``condition_on_keypoints`` only.
        width, max_width, depth: channels, their bound, and the number of blocks.
        spectral_norm: divide every convolution's weight by its largest singular value.
        condition_on_keypoints: judge the picture together with Gaussian maps of the driving keypoints.

    """

    def __init__(
        self,
        num_keypoints: int = 10,
        width: int = 32,
        max_width: int = 512,
        depth: int = 4,
        spectral_norm: bool = False,
        condition_on_keypoints: bool = False,
    ) -> None:
        super().__init__()
        self.arguments: dict[str, int | float | str | bool] = {
            "num_keypoints": num_keypoints,
            "width": width,
            "max_width": max_width,
            "depth": depth,
            "spectral_norm": spectral_norm,
            "condition_on_keypoints": condition_on_keypoints,
        }
        self.condition_on_keypoints = condition_on_keypoints
        channels = [3 + num_keypoints * condition_on_keypoints]
        channels += [min(max_width, width * 2 ** (level + 1)) for level in range(depth)]
        self.blocks = nn.ModuleList(
            PatchBlock(channels[i], channels[i + 1], spectral_norm, norm=i > 0, pool=i < depth - 1)
            for i in range(depth)
        )
        self.head = _convolution(channels[-1], 1, 1, spectral_norm)

    def forward(self, picture: Tensor, keypoints: Tensor | None = None) -> Judgement:
        """Judge pictures.

        Args:
            picture: ``(B, 3, H, W)`` RGB in [0, 1].
            keypoints: ``(B, K, 2)`` driving keypoints, needed with ``condition_on_keypoints`` only.

        """
        x = picture
        if self.condition_on_keypoints:
            assert keypoints is not None, "this discriminator judges pictures together with keypoints"
            size = (picture.shape[-2], picture.shape[-1])
            x = torch.cat([picture, gaussian_maps(keypoints, size, KEYPOINT_VARIANCE)], dim=1)
        features = []
        for block in self.blocks:
            x = block(x)
            features.append(x)
        return Judgement(features, at_least_float32(self.head(x)))


class PatchBlock(nn.Module):
    """4x4 convolution, optional instance norm, leaky ReLU, optional 2x2 average pooling."""

    def __init__(
        self, in_channels: int, out_channels: int, spectral_norm: bool, *, norm: bool, pool: bool
    ) -> None:
        super().__init__()
        self.conv = _convolution(in_channels, out_channels, KERNEL, spectral_norm)
        self.norm = nn.InstanceNorm2d(out_channels, affine=True) if norm else None
        self.pool = pool

    def forward(self, x: Tensor) -> Tensor:
        """``(B, in, H, W)`` to ``(B, out, H - 3, W - 3)``, halved with pooling."""
        x = self.conv(x)
        x = x if self.norm is None else self.norm(x)
        x = F.leaky_relu(x, 0.2)
        return F.avg_pool2d(x, 2) if self.pool else x


def _convolution(in_channels: int, out_channels: int, kernel_size: int, spectral_norm: bool) -> nn.Conv2d:
    layer = SpectralNormConv2d if spectral_norm else nn.Conv2d
    return layer(in_channels, out_channels, kernel_size)
