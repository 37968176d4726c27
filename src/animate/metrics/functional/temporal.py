"""How a prediction moves from frame to frame.

Pictures are ``(N, C, H, W)`` in [0, 1], points ``(N, J, 2)`` in pixels; results are (N,) float64.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch
from torch import Tensor

from animate.errors import UserError
from animate.ops.grid import pixel_grid
from animate.ops.warp import warp

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEAST_SIDE = 12
"""The longer side of the smallest picture in which OpenCV finds DIS optical flow."""
_LUMA = (0.299, 0.587, 0.114)


def flicker(prediction: Tensor, before: Tensor, target: Tensor, target_before: Tensor) -> Tensor:
    """Mean over channels and pixels of the absolute difference of prediction's and target's changes."""
    change = (prediction - before) - (target - target_before)
    return change.abs().flatten(1).mean(1, dtype=torch.float64)


def acceleration(points: Tensor, before: Tensor, two_before: Tensor) -> Tensor:
    """Second difference in time of ``(N, J, 2)`` points."""
    return points - 2 * before + two_before


def optical_flow(pictures: Tensor, others: Tensor) -> Tensor:
    """Find where each pixel of a picture lies in another one, by DIS on the CPU.

    Kroeger et al., "Fast Optical Flow using Dense Inverse Search" (2016), in OpenCV's implementation with its
    preset ``MEDIUM``, on 8-bit luma (ITU-R BT.601).

    Args:
        pictures: ``(N, 3, H, W)`` in [0, 1].
        others: the same.

    Returns:
        ``(N, 2, H, W)`` float32 in pixels, on the pictures' device: what is at z in a picture is at z + flow
        in the other.

    Raises:
        UserError: the pictures are too small.

    """
    height, width = pictures.shape[-2:]
    if max(height, width) < LEAST_SIDE:
        raise UserError(
            f"warping_error needs pictures of at least {LEAST_SIDE} px, not {width}x{height}; drop it"
        )
    pairs = zip(_luma(pictures), _luma(others), strict=True)
    flows = [_dis(one, other).transpose(2, 0, 1) for one, other in pairs]
    stacked = np.stack(flows) if flows else np.zeros((0, 2, height, width), np.float32)
    return torch.from_numpy(stacked).to(pictures.device)


def _dis(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Flow (H, W, 2) of one pair; by an object of its own, for what it found before leaks into the next."""
    finder = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    # The stubs demand a flow to start from; without one it is found from coarse to fine.
    flow = finder.calc(one, other, None)  # type: ignore[call-overload]
    return np.asarray(flow, dtype=np.float32)


def _luma(pictures: Tensor) -> NDArray[np.uint8]:
    weights = pictures.new_tensor(_LUMA).view(3, 1, 1)
    grey = (pictures.detach() * weights).sum(1).clamp(0, 1) * 255
    return np.asarray(grey.round().byte().cpu().numpy(), dtype=np.uint8)


def pull(pictures: Tensor, flow: Tensor) -> Tensor:
    """Sample ``(N, C, H, W)`` pictures bilinearly at z + flow(z) for every pixel z."""
    return warp(pictures, _coordinates(flow), padding="border")


def visible(flow: Tensor, back: Tensor) -> Tensor:
    """Mask the pixels whose flow can be trusted.

    Out are pixels that leave the picture, and those for which going there and back ends elsewhere:
    ``|f + b|^2 > 0.01 (|f|^2 + |b|^2) + 0.5``, with b the flow back at z + f(z): Sundaram et al., "Dense
    point trajectories by GPU-accelerated large displacement optical flow" (2010).

    Args:
        flow: ``(N, 2, H, W)`` in pixels.
        back: the flow in the other direction.

    Returns:
        ``(N, H, W)`` bool.

    """
    inside = (_coordinates(flow).abs() <= 1).all(-1)
    returned = pull(back, flow)
    apart = (flow + returned).square().sum(1)
    lengths = flow.square().sum(1) + returned.square().sum(1)
    return inside & (apart <= 0.01 * lengths + 0.5)


def warping_error(prediction: Tensor, before: Tensor, flow: Tensor, mask: Tensor) -> Tensor:
    """Mean over the masked pixels of the squared distance, summed over channels, to the frame before.

    Lai et al., "Learning Blind Video Temporal Consistency" (2018), section 4.

    Args:
        prediction: ``(N, C, H, W)``.
        before: the predictions before; they are pulled onto the present ones.
        flow: ``(N, 2, H, W)`` in pixels, from the present to the frame before.
        mask: ``(N, H, W)`` bool.

    Returns:
        ``(N,)`` float64; NaN where the mask is empty.

    """
    error = (prediction - pull(before, flow)).square().sum(1, dtype=torch.float64)
    kept = torch.where(mask, error, 0)
    return kept.flatten(1).sum(1) / mask.flatten(1).sum(1)


def _coordinates(flow: Tensor) -> Tensor:
    """Where each pixel goes, (N, H, W, 2) in [-1, 1]."""
    height, width = flow.shape[-2:]
    scale = flow.new_tensor([max(width - 1, 1), max(height - 1, 1)]) / 2
    return pixel_grid(height, width, flow.device) + flow.permute(0, 2, 3, 1) / scale
