"""Random smooth deformations with known derivatives, for the equivariance of keypoints."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from animate.ops.grid import pixel_grid
from animate.ops.matrix import transform_2x2
from animate.ops.precision import at_least_float32
from animate.ops.random import normal
from animate.ops.warp import warp

AFFINE_STREAM = 0x5EED_0001
SPLINE_STREAM = 0x5EED_0002
"""Streams of ``ops.random``: the two draws of one sample are independent of each other."""

_LOG_OFFSET = 1e-6  # keeps the logarithm finite at a control point


@dataclass(frozen=True)
class TransformNoise:
    """How strong the random deformations are.

    Attributes:
        sigma_affine: standard deviation of the noise on each entry of the affine matrix.
        sigma_tps: standard deviation of the spline's weights; 0 leaves the spline out.
        points_tps: control points along each side.

    """

    sigma_affine: float = 0.05
    sigma_tps: float = 0.005
    points_tps: int = 5


@dataclass(frozen=True)
class RandomTransform:
    """An affine map plus a thin-plate spline, one per sample.

    ``T(z) = A z + b + (1, 1) sum_i w_i phi(|z - c_i|_1)``, where ``phi(r) = r^2 log(r + 1e-6)`` and
    the control points ``c_i`` lie on a regular grid. As in the published training code of the First Order
    Motion Model, distances are L1 and the spline moves x and y alike.

    Attributes:
        affine: ``(B, 2, 3)``, the matrix A beside the vector b.
        weights: ``(B, P * P)`` weights w of the control points, row by row; None without a spline.

    """

    affine: Tensor
    weights: Tensor | None

    @classmethod
    def draw(cls, seeds: list[int], noise: TransformNoise, device: torch.device) -> RandomTransform:
        """Draw one transform for each of B sample seeds; a sample's transform depends on its seed alone."""
        affine = torch.eye(2, 3, device=device) + noise.sigma_affine * normal(
            seeds, (2, 3), AFFINE_STREAM, device=device
        )
        if noise.sigma_tps == 0:
            return cls(affine, None)
        spline = normal(seeds, (noise.points_tps**2,), SPLINE_STREAM, device=device)
        return cls(affine, noise.sigma_tps * spline)

    def points(self, points: Tensor) -> Tensor:
        """Move ``(B, N, 2)`` points in [-1, 1]: where T takes them."""
        moved = transform_2x2(self.affine[:, None, :, :2], points) + self.affine[:, None, :, 2]
        if self.weights is None:
            return moved
        radius = self._offsets(points).abs().sum(dim=-1)
        bend = (self.weights.unsqueeze(1) * radius.square() * torch.log(radius + _LOG_OFFSET)).sum(dim=-1)
        return moved + bend.unsqueeze(-1)

    def jacobian(self, points: Tensor) -> Tensor:
        """Differentiate T at ``(B, N, 2)`` points: (B, N, 2, 2), entry [a, b] being dT_a / dz_b.

        In closed form: ``phi'(r) = 2 r log(r + 1e-6) + r^2 / (r + 1e-6)`` and ``dr/dz = sign(z - c)``.
        """
        matrix = self.affine[:, None, :, :2].expand(-1, points.shape[1], -1, -1)
        if self.weights is None:
            return matrix
        offsets = self._offsets(points)
        radius = offsets.abs().sum(dim=-1)
        shifted = radius + _LOG_OFFSET
        slope = 2 * radius * torch.log(shifted) + radius.square() / shifted
        gradient = ((self.weights.unsqueeze(1) * slope).unsqueeze(-1) * offsets.sign()).sum(dim=-2)
        return matrix + gradient.unsqueeze(-2)

    def picture(self, picture: Tensor) -> Tensor:
        """Deform ``(B, C, H, W)`` pictures: the result shows at z what the picture shows at T(z)."""
        height, width = picture.shape[-2:]
        grid = pixel_grid(height, width, picture.device).flatten(0, 1).unsqueeze(0)
        moved = self.points(grid.expand(len(picture), -1, -1))
        return warp(picture, moved.view(-1, height, width, 2), padding="reflection")

    def _offsets(self, points: Tensor) -> Tensor:
        """``z - c``: ``(B, N, P * P, 2)``."""
        assert self.weights is not None
        side = round(self.weights.shape[-1] ** 0.5)
        controls = pixel_grid(side, side, points.device).flatten(0, 1)
        return at_least_float32(points).unsqueeze(2) - controls
