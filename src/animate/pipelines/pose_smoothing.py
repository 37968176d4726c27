"""Takes the tremble out of poses over time."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from animate.annotate.protocols import Pose

MEDIAN_REACH = 0.12
"""Seconds that the median looks to either side: 7 frames at 25 per second, as in Everybody Dance Now."""
MIN_CUTOFF, BETA, D_CUTOFF = 1.5, 3.0, 1.0
"""One-euro filter, for places in halves of the picture: Hz at rest, Hz per unit of speed, Hz of the speed."""


class Smoothing(Protocol):
    """Smooths the poses of a clip."""

    def __call__(self, pose: Pose, fps: float) -> Pose:
        """Return the poses with other places; what was not found stays so, and takes no part."""


def leave(pose: Pose, fps: float) -> Pose:  # noqa: ARG001  all smoothings are called alike
    """Change nothing."""
    return pose


def median(pose: Pose, fps: float) -> Pose:
    """Give each point its median over the frames around it, of those in which it was found.

    Single wrong places vanish and fast movements keep their speed, but a turn loses its tip.
    """
    half = round(MEDIAN_REACH * fps)
    places = np.where(pose.found[..., None], pose.points, np.nan)
    padded = np.pad(places, ((half, half), (0, 0), (0, 0)), constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1, axis=0)
    smooth = pose.points.copy()
    smooth[pose.found] = np.nanmedian(windows[pose.found], axis=-1)
    return replace(pose, points=smooth)


def one_euro(pose: Pose, fps: float) -> Pose:
    """Filter each point as it goes: strongly at rest, hardly in motion (Casiez et al., CHI 2012).

    Looks at the past only, so fast movements come a little late. A point that was away for a frame begins
    anew.
    """
    smooth = pose.points.copy()
    speed = np.zeros(pose.points.shape[1:], np.float64)
    for n in range(1, len(smooth)):
        before = pose.found[n - 1] & pose.found[n]
        measured = (pose.points[n] - smooth[n - 1]) * fps
        speed = np.where(before[:, None], speed + _weight(D_CUTOFF, fps) * (measured - speed), 0.0)
        weight = _weight(MIN_CUTOFF + BETA * np.abs(speed), fps)
        filtered = smooth[n - 1] + weight * (pose.points[n] - smooth[n - 1])
        smooth[n] = np.where(before[:, None], filtered, pose.points[n])
    return replace(pose, points=smooth)


def _weight(cutoff: float | NDArray[np.float64], fps: float) -> NDArray[np.float64]:
    """Weight of a new value in a low-pass filter of this cutoff, in Hz."""
    return np.asarray(1.0 / (1.0 + fps / (2.0 * np.pi * np.asarray(cutoff))))


SMOOTHINGS: Mapping[str, Smoothing] = {"none": leave, "median": median, "one-euro": one_euro}
