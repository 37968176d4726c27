"""How holes are filled without learning, by OpenCV; on the processor, a picture at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

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


CLASSICAL: Mapping[str, Callable[[Picture, Picture], Picture]] = {
    "telea": telea,
    "navier_stokes": navier_stokes,
    "nearest_pixel": nearest_pixel,
}
"""By the name of their row: each fills (H, W, 3) where (H, W) is not 0."""
