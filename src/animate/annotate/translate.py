"""Poses in another layout, and mirrored."""

from __future__ import annotations

import numpy as np

from animate.annotate.protocols import Pose
from animate.layouts import Layout, layout_named, translation


def translate(pose: Pose, target: Layout) -> Pose:
    """Express a pose in another layout.

    A point that is a mean of others is found where all of them are, and is as sure as the least sure of them;
    a point without counterpart is not found.
    """
    count = len(target.points)
    points = np.zeros((len(pose.points), count, 2), np.float32)
    found = np.zeros((len(pose.points), count), np.bool_)
    score = np.zeros((len(pose.points), count), np.float32)
    for j, origin in enumerate(translation(layout_named(pose.layout), target)):
        if origin:
            here = list(origin)
            found[:, j] = pose.found[:, here].all(axis=1)
            points[:, j] = pose.points[:, here].mean(axis=1)
            score[:, j] = pose.score[:, here].min(axis=1)
    points[~found], score[~found] = 0.0, 0.0
    return Pose(target.name, points, found, score)


def mirrored(pose: Pose) -> Pose:
    """Tell the pose that the mirrored pictures show."""
    swap = list(layout_named(pose.layout).swap)
    points = pose.points[:, swap] * np.array([-1.0, 1.0], np.float32)
    return Pose(pose.layout, points + 0.0, pose.found[:, swap], pose.score[:, swap])
