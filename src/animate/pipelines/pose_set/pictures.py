"""What the pictures of a data set say about how it was filmed: sharpness, background, camera."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import cv2
import numpy as np

from animate.annotate.figures import to_pixels

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from animate.annotate.protocols import Pose

    Grey = NDArray[np.uint8]

PERSON_SIDE = 256
"""Height that the person is brought to before its sharpness is measured, so that sizes can be compared."""
MARGIN = 0.15
"""What is added around the joints, as a share of their height: what is left is background."""
_CORNERS, _QUALITY, _APART = 200, 0.01, 7
_FEWEST_CORNERS = 8
_EDGE_LOW, _EDGE_HIGH = 60, 120


class Region(NamedTuple):
    """Where the person is, in pixels."""

    left: int
    top: int
    right: int
    bottom: int


def region(pose: Pose, number: int, size: tuple[int, int]) -> Region | None:
    """Find the person's part of a frame, cut off at the frame's edges; None where nobody is."""
    found = pose.found[number]
    if not found.any():
        return None
    places = to_pixels(pose.points[number][found], size)
    margin = MARGIN * float(np.ptp(places[:, 1])) + 1.0
    left, top = np.clip(places.min(axis=0) - margin, 0, [size[1] - 1, size[0] - 1]).astype(int).tolist()
    right, bottom = np.clip(places.max(axis=0) + margin, 0, [size[1], size[0]]).astype(int).tolist()
    return Region(left, top, right, bottom) if right - left > 1 and bottom - top > 1 else None


def grey(image: NDArray[np.uint8]) -> Grey:
    """Turn (H, W, 3) RGB into (H, W)."""
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)


def sharpness(picture: Grey, where: Region) -> float:
    """Measure the variance of the Laplacian on the person (Pech-Pacheco et al., ICPR 2000), in grey levels^2.

    The person is brought to a height of 256 px first, if it is larger.
    """
    part = picture[where.top : where.bottom, where.left : where.right]
    scale = min(1.0, PERSON_SIDE / part.shape[0])
    if scale < 1.0:
        part = np.asarray(cv2.resize(part, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
    return float(cv2.Laplacian(part, cv2.CV_64F).var())


def outside(size: tuple[int, int], *regions: Region | None) -> NDArray[np.bool_]:
    """Mark the pixels (H, W) of the background: those in none of the regions."""
    mask = np.ones(size, np.bool_)
    for where in regions:
        if where is not None:
            mask[where.top : where.bottom, where.left : where.right] = False
    return mask


def busyness(picture: Grey, background: NDArray[np.bool_]) -> float:
    """Tell which share of the background's pixels are edges."""
    edges = cv2.Canny(picture, _EDGE_LOW, _EDGE_HIGH)[background]
    return float((edges > 0).mean()) if edges.size else 0.0


def shift(before: Grey, after: Grey, background: NDArray[np.bool_]) -> float | None:
    """Measure how far the background moves between two frames that follow each other, in pixels.

    The median over corners that are followed; None when there are too few.
    """
    mask = background.astype(np.uint8) * 255
    found: Any = cv2.goodFeaturesToTrack(before, _CORNERS, _QUALITY, _APART, mask=mask)
    corners: NDArray[np.float32] | None = found
    if corners is None or len(corners) < _FEWEST_CORNERS:
        return None
    moved, there, _ = cv2.calcOpticalFlowPyrLK(before, after, corners, np.empty_like(corners))
    seen = there[:, 0] > 0
    if seen.sum() < _FEWEST_CORNERS:
        return None
    return float(np.linalg.norm(np.median((moved - corners)[seen][:, 0], axis=0)))


def change(before: Grey, after: Grey, background: NDArray[np.bool_]) -> float:
    """Measure how different the background is in two frames: the mean of the differences, in grey levels."""
    apart = np.abs(before.astype(np.float32) - after)[background]
    return float(apart.mean()) if apart.size else 0.0
