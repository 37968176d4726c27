"""Poses in another layout, and mirrored."""

from __future__ import annotations

import numpy as np

from animate.annotate.protocols import Pose
from animate.layouts import Layout, layout_named, translated, translation


def translate(pose: Pose, target: Layout) -> Pose:
    """Express a pose in another layout.

    A point that is a mean of others is found where all of them are, and is as sure as the least sure of them;
    a point without counterpart is not found.
    """
    source = layout_named(pose.layout)
    if source == target:
        return pose
    count = len(target.points)
    score = np.zeros((len(pose.points), count), np.float32)
    for j, origin in enumerate(translation(source, target)):
        if origin:
            score[:, j] = pose.score[:, list(origin)].min(axis=1)
    nothing = np.zeros((len(score), count, 2), np.float32), np.zeros(score.shape, np.bool_)
    points, found = translated(pose.points, pose.found, source, target) or nothing
    return Pose(target.name, points, found, np.where(found, score, 0.0).astype(np.float32))


def mirrored(pose: Pose) -> Pose:
    """Tell the pose that the mirrored pictures show."""
    swap = list(layout_named(pose.layout).swap)
    points = pose.points[:, swap] * np.array([-1.0, 1.0], np.float32)
    return Pose(pose.layout, points + 0.0, pose.found[:, swap], pose.score[:, swap])
