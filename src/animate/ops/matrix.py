"""2x2 matrices in closed form.

Only elementwise operations and sums are used: autocast leaves those in float32, whereas it would run a matrix
product of keypoint Jacobians in half precision.
"""

from __future__ import annotations

import torch
from torch import Tensor

from animate.ops.precision import at_least_float32


def invert_2x2(matrix: Tensor) -> Tensor:
    """Inverse of ``(..., 2, 2)`` matrices: the adjugate over the determinant, in at least float32.

    A singular matrix gives infinities, not an error: checking would make the host wait for the device.
    """
    matrix = at_least_float32(matrix)
    a, b, c, d = matrix[..., 0, 0], matrix[..., 0, 1], matrix[..., 1, 0], matrix[..., 1, 1]
    adjugate = torch.stack([d, -b, -c, a], dim=-1).view(matrix.shape)
    return adjugate / (a * d - b * c)[..., None, None]


def multiply_2x2(left: Tensor, right: Tensor) -> Tensor:
    """Product of ``(..., 2, 2)`` matrices, broadcast, in at least float32."""
    return (at_least_float32(left).unsqueeze(-1) * at_least_float32(right).unsqueeze(-3)).sum(dim=-2)


def transform_2x2(matrix: Tensor, points: Tensor) -> Tensor:
    """Apply ``(..., 2, 2)`` matrices to ``(..., 2)`` points, broadcast, in at least float32."""
    return (at_least_float32(matrix) * at_least_float32(points).unsqueeze(-2)).sum(dim=-1)
