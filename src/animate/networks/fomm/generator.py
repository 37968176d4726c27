"""The occlusion-aware generator."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from animate.errors import UserError
from animate.networks.blocks import ConvBlock, DownBlock, ResBlock, UpBlock
from animate.networks.fomm.dense_motion import DenseMotion, Motion
from animate.networks.fomm.keypoint_detector import expand_keypoints
from animate.ops.precision import at_least_float32
from animate.ops.warp import resize, warp

if TYPE_CHECKING:
    from animate.types import Keypoints


class Animation(Motion):
    """What the generator returns: the motion, and the pictures made with it."""

    prediction: Tensor
    """(B, 3, H, W) in [0, 1], at least float32."""
    deformed: Tensor
    """(B, 3, H, W): the source warped by the dense motion, nothing invented."""


class Generator(nn.Module):
    """Source picture and two sets of keypoints to the source in the driving pose.

    Siarohin et al. (2019), section 3.2: the source is encoded, its features are warped by the dense motion,
    darkened where they are occluded, and decoded.

    Args:
        dense_motion: estimates motion and occlusion.
        width: channels after the first convolution; doubled by each halving.
        max_width: bound on the channels of any layer.
        depth: number of halvings.
        blocks: number of residual blocks at the smallest size.
        blend: keep the warped source itself where the occlusion map says that it shows what is needed, and
            take what the layers invent elsewhere; needs an occlusion map. Not in the published model (its
            authors' next one, Siarohin et al. 2021, does the like): small networks need not learn to copy.

    Raises:
        UserError: ``blend`` without an occlusion map.

    """

    def __init__(
        self,
        dense_motion: DenseMotion,
        width: int = 64,
        max_width: int = 512,
        depth: int = 2,
        blocks: int = 6,
        blend: bool = False,
    ) -> None:
        super().__init__()
        if blend and dense_motion.occlusion is None:
            raise UserError("generator_blend needs an occlusion map: set occlusion=true")
        self.blend = blend
        widths = [min(max_width, width * 2**level) for level in range(depth + 1)]
        self.dense_motion = dense_motion
        self.first = ConvBlock(3, widths[0], kernel_size=7)
        self.down_blocks = nn.Sequential(*(DownBlock(widths[i], widths[i + 1]) for i in range(depth)))
        self.bottleneck = nn.Sequential(*(ResBlock(widths[-1]) for _ in range(blocks)))
        self.up_blocks = nn.Sequential(*(UpBlock(widths[i + 1], widths[i]) for i in reversed(range(depth))))
        self.final = nn.Conv2d(widths[0], 3, 7, padding=3)

    def forward(self, source: Tensor, *, kp_source: Keypoints, kp_driving: Keypoints) -> Animation:
        """Animate ``(B, 3, H, W)`` RGB in [0, 1]: ``decode`` of ``encode``."""
        return self.decode(self.encode(source), source, kp_source=kp_source, kp_driving=kp_driving)

    def encode(self, source: Tensor) -> Tensor:
        """Compute the features of ``(B, 3, H, W)`` sources; they do not depend on the motion."""
        features: Tensor = self.down_blocks(self.first(source))
        return features

    def decode(
        self, features: Tensor, source: Tensor, *, kp_source: Keypoints, kp_driving: Keypoints
    ) -> Animation:
        """Move encoded sources to the driving keypoints.

        Args:
            features: what ``encode`` gave for ``source``.
            source: ``(B, 3, H, W)`` in [0, 1].
            kp_source: keypoints of the sources.
            kp_driving: keypoints to move to. Features, source and kp_source of batch 1 serve them all.

        """
        count = kp_driving["value"].shape[0]  # not `len`, which would fix the batch of an export
        features, source = (tensor.expand(count, -1, -1, -1) for tensor in (features, source))
        kp_source = expand_keypoints(kp_source, count)
        motion = self.dense_motion(source, kp_source=kp_source, kp_driving=kp_driving)
        moved = _warp_by(features, motion["deformation"])
        if "occlusion_map" in motion:
            moved = moved * resize(motion["occlusion_map"], _size(moved)).to(moved.dtype)
        prediction = torch.sigmoid(at_least_float32(self.final(self.up_blocks(self.bottleneck(moved)))))
        deformed = _warp_by(source, motion["deformation"])
        if self.blend:
            kept = resize(motion["occlusion_map"], _size(prediction))
            prediction = torch.lerp(prediction, deformed.to(prediction.dtype), kept)
        animation = Animation(
            sparse_deformed=motion["sparse_deformed"],
            mask=motion["mask"],
            deformation=motion["deformation"],
            prediction=prediction,
            deformed=deformed,
        )
        if "occlusion_map" in motion:
            animation["occlusion_map"] = motion["occlusion_map"]
        return animation


def _warp_by(picture: Tensor, deformation: Tensor) -> Tensor:
    """Warp ``(B, C, H, W)`` by a field ``(B, h, w, 2)`` that is first resized to the picture."""
    field = resize(deformation.permute(0, 3, 1, 2), _size(picture)).permute(0, 2, 3, 1)
    return warp(picture, field)


def _size(picture: Tensor) -> tuple[int, int]:
    return picture.shape[-2], picture.shape[-1]
