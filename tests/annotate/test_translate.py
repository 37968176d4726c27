"""Poses in another layout, and mirrored."""

from itertools import permutations

import numpy as np
import pytest

from animate.annotate.protocols import Pose
from animate.annotate.translate import mirrored, translate
from animate.layouts import BODY25, COCO17, COCO18, FACE5, FACE68, MEDIAPIPE33

BODIES = (BODY25, COCO18, COCO17, MEDIAPIPE33)


def made_up(layout, frames=3, seed=0):
    """A pose with some points missing."""
    rng = np.random.default_rng(seed)
    found = rng.random((frames, len(layout.points))) > 0.2
    points = rng.uniform(-1, 1, (*found.shape, 2)).astype(np.float32) * found[..., None]
    return Pose(layout.name, points, found, (rng.random(found.shape) * found).astype(np.float32))


@pytest.mark.parametrize(("source", "target"), list(permutations(BODIES, 2)), ids=lambda x: x.name)
def test_there_and_back_keeps_what_both_layouts_have(source, target):
    pose = made_up(source)
    back = translate(translate(pose, target), source)
    for j, point in enumerate(source.points):
        if point in target.points:
            np.testing.assert_array_equal(back.points[:, j], pose.points[:, j])
            np.testing.assert_array_equal(back.found[:, j], pose.found[:, j])
            np.testing.assert_array_equal(back.score[:, j], pose.score[:, j])
        elif point not in ("neck", "mid_hip"):
            assert not back.found[:, j].any()
            assert not back.points[:, j].any()


def test_a_midpoint_needs_both_ends():
    pose = made_up(COCO17, frames=40)
    body = translate(pose, BODY25)
    left, right, neck = COCO17.index("left_shoulder"), COCO17.index("right_shoulder"), BODY25.index("neck")
    both = pose.found[:, left] & pose.found[:, right]
    assert both.any()
    assert not both.all()
    np.testing.assert_array_equal(body.found[:, neck], both)
    middle = (pose.points[both, left] + pose.points[both, right]) / 2
    np.testing.assert_allclose(body.points[both, neck], middle, atol=1e-7)
    np.testing.assert_array_equal(
        body.score[both, neck], np.minimum(pose.score[both, left], pose.score[both, right])
    )
    assert not body.points[~both, neck].any()


def test_five_points_are_means_of_the_68():
    pose = made_up(FACE68)
    pose.found[:] = True
    five = translate(pose, FACE5)
    np.testing.assert_allclose(five.points[:, 0], pose.points[:, 36:42].mean(axis=1), atol=1e-6)
    np.testing.assert_array_equal(five.points[:, 2:], pose.points[:, [30, 48, 54]])


def test_a_mirrored_pose_has_its_sides_exchanged():
    pose = made_up(COCO17)
    other = mirrored(pose)
    left, right = COCO17.index("left_knee"), COCO17.index("right_knee")
    np.testing.assert_array_equal(other.points[:, left], pose.points[:, right] * [-1.0, 1.0])
    np.testing.assert_array_equal(other.found[:, left], pose.found[:, right])
    back = mirrored(other)
    np.testing.assert_array_equal(back.points, pose.points)
