"""Keypoints with local affine motion, found without labels."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from animate.networks.blocks import Hourglass
from animate.ops.grid import pixel_axis
from animate.ops.precision import at_least_float32
from animate.ops.pyramid import AntiAliasDownsample
from animate.types import Keypoints

JacobianKind = Literal["per_keypoint", "shared", "none"]


class KeypointDetector(nn.Module):
    """Picture to keypoints: hourglass, one heat map per keypoint, expected position under the heat map.

    Siarohin et al., "First Order Motion Model for Image Animation" (2019), section 3.2.

    Args:
        num_keypoints: K.
        jacobian: a map of 2x2 matrices per keypoint, one shared by all, or none.
        downsample_factor: the picture is shrunk by this much first.
        temperature: divides the heat maps before the softmax; the lower, the sharper.
        width, max_width, depth: the hourglass.

    """

    def __init__(
        self,
        num_keypoints: int = 10,
        jacobian: JacobianKind = "per_keypoint",
        downsample_factor: int = 4,
        temperature: float = 0.1,
        width: int = 32,
        max_width: int = 1024,
        depth: int = 5,
    ) -> None:
        super().__init__()
        self.temperature = temperature
        self.downsample = AntiAliasDownsample(downsample_factor)
        self.hourglass = Hourglass(3, width, max_width, depth)
        # No padding: a keypoint cannot be pulled towards the border by the zeros beyond it.
        self.heatmap = nn.Conv2d(self.hourglass.out_channels, num_keypoints, 7)
        self.jacobian = self._jacobian_head(num_keypoints, jacobian)

    def _jacobian_head(self, num_keypoints: int, kind: JacobianKind) -> nn.Conv2d | None:
        """Four channels per map, row by row; starts at the identity everywhere."""
        if kind == "none":
            return None
        maps = num_keypoints if kind == "per_keypoint" else 1
        head = nn.Conv2d(self.hourglass.out_channels, 4 * maps, 7)
        nn.init.zeros_(head.weight)
        with torch.no_grad():
            assert head.bias is not None
            head.bias.copy_(torch.eye(2).flatten().repeat(maps))
        return head

    def forward(self, picture: Tensor) -> Keypoints:
        """Find the keypoints of ``(B, 3, H, W)`` RGB in [0, 1]; at least float32 under autocast too."""
        features = self.hourglass(self.downsample(picture))
        logits = at_least_float32(self.heatmap(features))
        heat = torch.softmax(logits.flatten(2) / self.temperature, dim=-1).view_as(logits)
        keypoints = Keypoints(value=_expected_position(heat))
        if self.jacobian is not None:
            maps = at_least_float32(self.jacobian(features).unflatten(1, (-1, 4)))
            mean = (heat.unsqueeze(2) * maps).sum(dim=(-2, -1))
            keypoints["jacobian"] = mean.view(*mean.shape[:2], 2, 2)
        return keypoints


def _expected_position(heat: Tensor) -> Tensor:
    """Mean of the pixel coordinates under ``(B, K, h, w)`` heat maps of sum 1: ``(B, K, 2)``."""
    height, width = heat.shape[-2:]
    x = (heat.sum(dim=-2) * pixel_axis(width, heat.device)).sum(dim=-1)
    y = (heat.sum(dim=-1) * pixel_axis(height, heat.device)).sum(dim=-1)
    return torch.stack([x, y], dim=-1)


def expand_keypoints(keypoints: Keypoints, count: int) -> Keypoints:
    """Repeat keypoints of batch 1 ``count`` times without copying; a batch of ``count`` stays as it is."""
    expanded = Keypoints(value=keypoints["value"].expand(count, -1, -1))
    if "jacobian" in keypoints:
        expanded["jacobian"] = keypoints["jacobian"].expand(count, -1, -1, -1)
    return expanded


def repeat_keypoints(keypoints: Keypoints, each: int) -> Keypoints:
    """Repeat every sample's keypoints ``each`` times in a row."""
    repeated = Keypoints(value=keypoints["value"].repeat_interleave(each, dim=0))
    if "jacobian" in keypoints:
        repeated["jacobian"] = keypoints["jacobian"].repeat_interleave(each, dim=0)
    return repeated
