"""Which poses can be learned from, and drawn: one rule for preparing and for dancing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from animate.layouts import layout_named

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from animate.annotate.protocols import Pose

FEWEST = 4
"""Joints of the body that have to lie in the picture for a pose to be used."""


def joints_inside(pose: Pose) -> NDArray[np.int64]:
    """Count (N,) the joints of the body, without face and hands, that are found inside of the picture."""
    detail = layout_named(pose.layout).detail
    body = [joint for joint in range(pose.found.shape[1]) if joint not in detail]
    inside = pose.found & (np.abs(pose.points) <= 1.0).all(axis=-1)
    return np.asarray(inside[:, body].sum(axis=1))


def usable(pose: Pose) -> NDArray[np.bool_]:
    """Tell which poses (N,) have enough joints in the picture."""
    return np.asarray(joints_inside(pose) >= FEWEST)
