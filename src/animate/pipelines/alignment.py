"""Frames of one scene brought over each other: where the camera stood, and how it was exposed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Picture = NDArray[np.uint8]
    Mask = NDArray[np.bool_]
    Matrix = NDArray[np.float32]
    """(2, 3): where a point (x, y, 1) of the reference lies in a frame, in pixels."""

WORKING_SIDE = 320
"""Longer side at which frames are compared to find the camera's motion."""
KNOTS = 17
"""Quantiles that exposures are compared at."""
ENOUGH_PIXELS = 500
"""Both frames must show so many in common, to compare exposures."""
SURE = 0.2
"""Response of a phase correlation, from 0 to 1, from which it is believed."""
_STEPS, _PRECISION = 50, 1e-5
_SMOOTHING = 5


def camera_motion(frame: Picture, reference: Picture, common: Mask) -> Matrix:
    """Find where each pixel of the reference lies in a frame: a turn and a shift.

    A shift by phase correlation, refined by Evangelidis and Psarakis, "Parametric Image Alignment using
    Enhanced Correlation Coefficient Maximization" (2008), which is blind to brightness and contrast. Where
    that finds nothing, such as over a plain wall, the camera is taken to stand.

    Args:
        frame: (H, W, 3).
        reference: the same.
        common: (H, W), what is to be compared: where neither shows a person.

    """
    still = np.eye(2, 3, dtype=np.float32)
    if frame is reference or not common.any():
        return still
    height, width = common.shape
    scale = min(1.0, WORKING_SIDE / max(height, width))
    size = (max(8, round(scale * width)), max(8, round(scale * height)))
    small = [
        np.asarray(
            cv2.cvtColor(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY),
            np.uint8,
        )
        for picture in (reference, frame)
    ]
    where = cv2.resize(common.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    start = _shift(small[0], small[1], where > 0)
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, _STEPS, _PRECISION)
    try:
        _, matrix = cv2.findTransformECC(
            small[0], small[1], start, cv2.MOTION_EUCLIDEAN, criteria, where, _SMOOTHING
        )
    except cv2.error:
        return still
    return _rescaled(np.asarray(matrix, np.float32), (width / size[0], height / size[1]))


def _shift(reference: Picture, frame: Picture, common: Mask) -> Matrix:
    """Find a first guess, a shift alone, by phase correlation (Kuglin and Hines, 1975); none if unsure."""
    flat = [np.where(common, one, one[common].mean()).astype(np.float32) for one in (reference, frame)]
    window = cv2.createHanningWindow(reference.shape[::-1], cv2.CV_32F)
    (x, y), response = cv2.phaseCorrelate(flat[0], flat[1], window)
    sure = response > SURE
    return np.array([[1, 0, x * sure], [0, 1, y * sure]], np.float32)


def largest_motion(matrix: Matrix, size: tuple[int, int]) -> float:
    """Tell how far the corner of a picture of (height, width) moves that moves most, in pixels."""
    right, low = size[1] - 1, size[0] - 1
    corners = np.array([[0, 0, 1], [right, 0, 1], [0, low, 1], [right, low, 1]])
    return float(np.linalg.norm(corners @ matrix.T - corners[:, :2], axis=1).max())


def moved_by(matrix: Matrix, frame: Picture, clear: Mask) -> tuple[Picture, Mask]:
    """Show a frame (H, W, 3) as the camera of the reference would have seen it.

    Returns:
        The picture, and where all pixels that it was interpolated from lie in the frame and are clear.

    """
    size, flags = clear.shape[::-1], cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    picture = cv2.warpAffine(frame, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    whole = cv2.warpAffine(clear.astype(np.float32), matrix, size, flags=flags)
    return np.asarray(picture, np.uint8), np.asarray(whole > 1 - _PRECISION)


def exposed_like(frame: Picture, reference: Picture, common: Mask) -> Picture:
    """Bring the brightness of each channel to that of another picture of the same scene.

    A camera's automatic exposure follows the person. Of the pixels that both show, each channel's quantiles
    are taken to the other's, linearly in between; beyond them values are shifted as at the ends.

    Args:
        frame: (H, W, 3).
        reference: the same.
        common: (H, W), what both show.

    """
    if frame is reference or common.sum() < ENOUGH_PIXELS:
        return frame
    shares = np.linspace(0.01, 0.99, KNOTS)
    levels = np.arange(256.0)
    result = np.empty_like(frame)
    for channel in range(3):
        before, after = (np.quantile(one[common, channel], shares) for one in (frame, reference))
        known, first = np.unique(before, return_index=True)
        inside = np.interp(levels, known, after[first])
        inside += np.minimum(levels - known[0], 0) + np.maximum(levels - known[-1], 0)
        result[..., channel] = np.rint(inside).clip(0, 255).astype(np.uint8)[frame[..., channel]]
    return result


def _rescaled(matrix: Matrix, factor: tuple[float, float]) -> Matrix:
    """Express a motion that was found in small pictures in the pixels of the large ones."""
    x, y = factor
    grow = np.array([[x, 0, (x - 1) / 2], [0, y, (y - 1) / 2], [0, 0, 1]])
    whole = np.vstack([matrix, [0, 0, 1]])
    return np.asarray((grow @ whole @ np.linalg.inv(grow))[:2], np.float32)
