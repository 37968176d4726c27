"""Keypoints must follow a known deformation of the picture.

Siarohin et al., "First Order Motion Model for Image Animation" (2019), section 3.3, equations 11 and 12.
Where the deformed picture shows at z what the picture shows at T(z), its keypoints p_T must satisfy
``p = T(p_T)`` and its local motions ``J = T'(p_T) J_T``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from animate.ops.matrix import invert_2x2, multiply_2x2

if TYPE_CHECKING:
    from animate.ops.transform import RandomTransform
    from animate.types import Keypoints


def equivariance_value_loss(
    keypoints: Keypoints, transformed: Keypoints, transform: RandomTransform
) -> Tensor:
    """``mean |p - T(p_T)|`` over coordinates of the picture's and of the deformed picture's keypoints."""
    return F.l1_loss(transform.points(transformed["value"]), keypoints["value"])


def equivariance_jacobian_loss(
    keypoints: Keypoints, transformed: Keypoints, transform: RandomTransform
) -> Tensor:
    """``mean |1 - J^-1 T'(p_T) J_T|`` over matrix entries; both sets of keypoints must carry Jacobians."""
    expected = multiply_2x2(transform.jacobian(transformed["value"]), transformed["jacobian"])
    ratio = multiply_2x2(invert_2x2(keypoints["jacobian"]), expected)
    return (torch.eye(2, device=ratio.device) - ratio).abs().mean()
