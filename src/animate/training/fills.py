"""How holes are filled without learning: rows of a report that an inpainting network has to beat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray
    from torch import Tensor

    from animate.training.baselines import Baseline
    from animate.types import Batch

    Picture = NDArray[np.uint8]

RADIUS = 3
"""Pixels around a hole's edge that OpenCV's methods look at."""


@dataclass(frozen=True, slots=True)
class Fill:
    """Fills every frame by itself; a ``Baseline`` that has nothing to learn.

    Args:
        fill: fills (H, W, 3) where (H, W) is not 0.

    """

    fill: Callable[[Picture, Picture], Picture]

    def __call__(self, batch: Batch) -> Tensor:
        """See ``Baseline``."""
        frames = batch["frames"][:, 1:].flatten(0, 1).movedim(1, -1).mul(255).round().byte().cpu().numpy()
        holes = batch["hole_mask"][:, 1:].flatten(0, 1)[:, 0].gt(0).byte().cpu().numpy()
        # Whoever fills must not see what he is to guess.
        shown = np.where(holes[..., None] > 0, np.uint8(0), frames)
        made = np.stack([self.fill(*one) for one in zip(shown, holes, strict=True)])
        return torch.from_numpy(made).movedim(-1, 1).float().div_(255)


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


FILLS: Mapping[str, Baseline] = {
    "telea": Fill(telea),
    "navier_stokes": Fill(navier_stokes),
    "nearest_pixel": Fill(nearest_pixel),
}
