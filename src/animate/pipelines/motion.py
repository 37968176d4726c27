"""From the keypoints of a driving video to the keypoints that the source is moved to.

Sources: Siarohin et al., "First Order Motion Model for Image Animation" (2019), section 3.3 (relative
motion); the adaptation of the movement's scale and the choice of the start frame are those of its published
code.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import ConvexHull, QhullError

from animate.ops.matrix import invert_2x2, multiply_2x2

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray
    from torch import Tensor

    from animate.types import Keypoints

FLAT_HULL = 1e-6
"""Hull areas below this count as none: a square of side 0.001, an eighth of a pixel of 256."""


def hull_area(points: NDArray[np.floating]) -> float:
    """Area of the convex hull of ``(K, 2)`` points in [-1, 1]; 0 where they span none.

    Fewer than three points, points on one line and points that are not finite span no area.
    """
    if len(points) < 3 or not np.isfinite(points).all():
        return 0.0
    try:
        return float(ConvexHull(points).volume)  # in two dimensions scipy calls the area "volume"
    except QhullError:
        return 0.0


def movement_scale(source: NDArray[np.floating], initial: NDArray[np.floating]) -> float:
    """Compute the factor that fits movement to the source: the square root of the ratio of hull areas.

    Takes the ``(K, 2)`` keypoints of the source and of the initial driving frame. Where either hull is flat
    there is nothing to compare and the scale is 1.
    """
    source_area, initial_area = hull_area(source), hull_area(initial)
    if min(source_area, initial_area) < FLAT_HULL:
        return 1.0
    return float(np.sqrt(source_area) / np.sqrt(initial_area))


class MotionTransfer:
    """Maps the keypoints of driving frames to those that the source is to be rendered with.

    Absolute motion passes the driving keypoints on. Relative motion adds to the source what changed since the
    initial driving frame::

        value    = (driving - initial) * scale + source
        jacobian = J_driving @ J_initial^-1 @ J_source

    The constant factor ``J_initial^-1 @ J_source`` is computed once.

    Args:
        source: keypoints of the source, ``(1, K, 2)`` and ``(1, K, 2, 2)``.
        initial: keypoints of the driving frame that shows the pose of the source, of the same shapes.
        relative: relative instead of absolute motion.
        relative_jacobian: with relative motion, carry the change of the Jacobians over as well.
        adapt_scale: with relative motion, scale movement by :func:`movement_scale`.

    """

    def __init__(
        self,
        source: Keypoints,
        initial: Keypoints,
        *,
        relative: bool = True,
        relative_jacobian: bool = True,
        adapt_scale: bool = False,
    ) -> None:
        self.relative = relative
        source_value, initial_value = source["value"][0], initial["value"][0]
        scale = movement_scale(_to_numpy(source_value), _to_numpy(initial_value)) if adapt_scale else 1.0
        self.scale = scale
        self.offset = source_value - scale * initial_value
        self.jacobian: Tensor | None = None
        if relative_jacobian and "jacobian" in source and "jacobian" in initial:
            self.jacobian = multiply_2x2(invert_2x2(initial["jacobian"][0]), source["jacobian"][0])

    def __call__(self, driving: Keypoints) -> Keypoints:
        """Keypoints for B driving frames: ``(B, K, 2)`` and, where the model has them, ``(B, K, 2, 2)``."""
        if not self.relative:
            return driving
        moved: Keypoints = {"value": self.scale * driving["value"] + self.offset}
        if "jacobian" in driving:
            moved["jacobian"] = driving["jacobian"]
            if self.jacobian is not None:
                moved["jacobian"] = multiply_2x2(driving["jacobian"], self.jacobian)
        return moved


def normalise_pose(points: NDArray[np.floating]) -> NDArray[np.float64]:
    """``(K, 2)`` points about their own mean, in units of the square root of their hull's area.

    Points with a flat hull are only centred.
    """
    centred = points.astype(np.float64) - points.mean(axis=0)
    area = hull_area(points)
    return np.asarray(centred / np.sqrt(area) if area >= FLAT_HULL else centred)


def closest_pose(source: NDArray[np.floating], driving: Iterable[NDArray[np.floating]]) -> int:
    """Find the driving frame whose pose is most like that of the source; return its number.

    The measure is the sum of squared distances between the normalised points (:func:`normalise_pose`). Any
    points do, the model's own keypoints as well as 68 face landmarks; a frame with points that are not finite
    (no face found) is passed over. Among equals the earliest wins, and with nothing to compare it is frame 0.

    Args:
        source: ``(K, 2)`` points of the source.
        driving: the ``(K, 2)`` points of each driving frame; read once, none is kept.

    """
    goal = normalise_pose(source)
    best, least = 0, np.inf
    for number, points in enumerate(driving):
        distance = float(((normalise_pose(points) - goal) ** 2).sum())
        if distance < least:  # never true for NaN
            best, least = number, distance
    return best


def _to_numpy(points: Tensor) -> NDArray[np.float64]:
    return np.asarray(points.detach().cpu().double().numpy())
