"""From keypoints to a dense motion field and an occlusion map."""

from __future__ import annotations

from typing import TYPE_CHECKING, NotRequired, TypedDict

import torch
from torch import Tensor, nn

from animate.networks.blocks import Hourglass
from animate.ops.grid import gaussian_maps, pixel_axis, pixel_grid
from animate.ops.matrix import invert_2x2, multiply_2x2, transform_2x2
from animate.ops.precision import at_least_float32
from animate.ops.pyramid import AntiAliasDownsample
from animate.ops.warp import warp_each

if TYPE_CHECKING:
    from animate.types import Keypoints

KEYPOINT_VARIANCE = 0.01
"""Of the Gaussian that marks a keypoint, in squared units of the coordinates."""


class Motion(TypedDict):
    """What the dense motion network says; slot 0 of K + 1 is the unmoving background."""

    sparse_deformed: Tensor
    """(B, K + 1, 3, h, w): the shrunk source warped by each slot's motion alone."""
    mask: Tensor
    """(B, K + 1, h, w) in [0, 1], of sum 1 over the slots: which motion holds where."""
    deformation: Tensor
    """(B, h, w, 2): where in the source to look, in [-1, 1]."""
    occlusion_map: NotRequired[Tensor]
    """(B, 1, h, w) in [0, 1]: 1 where the source shows what is needed, 0 where it must be invented."""


class DenseMotion(nn.Module):
    """Chooses at every pixel among the keypoints' local motions.

    Siarohin et al. (2019), section 3.2, equations 4 to 10.

    Args:
        num_keypoints: K.
        downsample_factor: the source is shrunk by this much first.
        occlusion: whether to estimate an occlusion map.
        width, max_width, depth: the hourglass.

    """

    def __init__(
        self,
        num_keypoints: int = 10,
        downsample_factor: int = 4,
        occlusion: bool = True,
        width: int = 64,
        max_width: int = 1024,
        depth: int = 5,
    ) -> None:
        super().__init__()
        slots = num_keypoints + 1
        self.downsample = AntiAliasDownsample(downsample_factor)
        self.hourglass = Hourglass(4 * slots, width, max_width, depth)
        self.mask = nn.Conv2d(self.hourglass.out_channels, slots, 7, padding=3)
        self.occlusion = nn.Conv2d(self.hourglass.out_channels, 1, 7, padding=3) if occlusion else None

    def forward(self, source: Tensor, *, kp_source: Keypoints, kp_driving: Keypoints) -> Motion:
        """Estimate how ``(B, 3, H, W)`` sources move from their keypoints to the driving ones."""
        source = self.downsample(source)
        size = (source.shape[-2], source.shape[-1])
        motions = sparse_motions(size, kp_source, kp_driving)
        deformed = warp_each(source, motions)
        heat = heatmap_difference(size, kp_source, kp_driving)
        features = self.hourglass(torch.cat([heat.unsqueeze(2), deformed], dim=2).flatten(1, 2))
        mask = torch.softmax(at_least_float32(self.mask(features)), dim=1)
        deformation = (mask.unsqueeze(-1) * motions).sum(dim=1)
        motion = Motion(sparse_deformed=deformed, mask=mask, deformation=deformation)
        if self.occlusion is not None:
            motion["occlusion_map"] = torch.sigmoid(at_least_float32(self.occlusion(features)))
        return motion


def sparse_motions(size: tuple[int, int], kp_source: Keypoints, kp_driving: Keypoints) -> Tensor:
    """Where each slot's motion takes every pixel of the driving frame, in the source.

    Slot 0 is the identity; slot k is ``T_k(z) = p_source + J_source J_driving^-1 (z - p_driving)``
    (equation 4), with the identity for the matrices where the keypoints carry none.

    Returns:
        ``(B, K + 1, height, width, 2)``.

    """
    height, width = size
    device = kp_source["value"].device
    if "jacobian" in kp_driving and "jacobian" in kp_source:
        matrix = multiply_2x2(kp_source["jacobian"], invert_2x2(kp_driving["jacobian"]))
    else:
        matrix = torch.eye(2, device=device).expand(*kp_source["value"].shape, 2)
    shift = kp_source["value"] - transform_2x2(matrix, kp_driving["value"])
    # An affine map of a grid is a sum of a term in x and a term in y.
    along_x = matrix[..., 0].unsqueeze(2) * pixel_axis(width, device).unsqueeze(-1)
    along_y = matrix[..., 1].unsqueeze(2) * pixel_axis(height, device).unsqueeze(-1)
    moved = along_y.unsqueeze(3) + (along_x + shift.unsqueeze(2)).unsqueeze(2)
    identity = pixel_grid(height, width, device).expand(moved.shape[0], 1, -1, -1, -1)
    return torch.cat([identity, moved], dim=1)


def heatmap_difference(size: tuple[int, int], kp_source: Keypoints, kp_driving: Keypoints) -> Tensor:
    """Gaussians at the driving keypoints minus those at the source's, zeros in slot 0: (B, K + 1, h, w)."""
    driving = gaussian_maps(kp_driving["value"], size, KEYPOINT_VARIANCE)
    source = gaussian_maps(kp_source["value"], size, KEYPOINT_VARIANCE)
    return torch.cat([torch.zeros_like(source[:, :1]), driving - source], dim=1)
