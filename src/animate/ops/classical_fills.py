"""How holes are filled without learning, by OpenCV; on the processor, a picture at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray
    from torch import Tensor

    Picture = NDArray[np.uint8]

RADIUS = 3
"""Pixels around a hole's edge that OpenCV's methods look at."""


def telea(picture: Picture, hole: Picture) -> Picture:
    """Telea, "An Image Inpainting Technique Based on the Fast Marching Method" (2004)."""
    return np.asarray(cv2.inpaint(picture, hole, RADIUS, cv2.INPAINT_TELEA), np.uint8)


def navier_stokes(picture: Picture, hole: Picture) -> Picture:
    """Bertalmio et al., "Navier-Stokes, Fluid Dynamics, and Image and Video Inpainting" (2001)."""
    return np.asarray(cv2.inpaint(picture, hole, RADIUS, cv2.INPAINT_NS), np.uint8)


def nearest_pixel(picture: Picture, hole: Picture) -> Picture:
    """Take the nearest pixel that is known; nothing is filled where none is."""
    if hole.all():
        return picture
    _, labels = cv2.distanceTransformWithLabels(hole, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    known = hole == 0
    values = np.zeros((int(labels.max()) + 1, 3), np.uint8)
    values[labels[known]] = picture[known]
    filled: Picture = values[labels]
    return filled


def fill_each(fill: Callable[[Picture, Picture], Picture], pictures: Tensor, hole_mask: Tensor) -> Tensor:
    """Fill pictures one by one; what is in a hole is not looked at.

    Args:
        fill: of ``CLASSICAL``.
        pictures: (N, 3, H, W) in [0, 1].
        hole_mask: (N, 1, H, W), 0 outside of holes.

    Returns:
        (N, 3, H, W) on the CPU, in steps of 1/255.

    """
    frames = pictures.movedim(1, -1).mul(255).round().byte().cpu().numpy()
    holes = hole_mask[:, 0].gt(0).byte().cpu().numpy()
    shown = np.where(holes[..., None] > 0, np.uint8(0), frames)
    made = np.stack([fill(*one) for one in zip(shown, holes, strict=True)])
    return torch.from_numpy(made).movedim(-1, 1).float().div_(255)


CLASSICAL: Mapping[str, Callable[[Picture, Picture], Picture]] = {
    "telea": telea,
    "navier_stokes": navier_stokes,
    "nearest_pixel": nearest_pixel,
}
"""By the name of their row: each fills (H, W, 3) where (H, W) is not 0."""
