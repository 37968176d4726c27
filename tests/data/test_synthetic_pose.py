"""Skeleton arithmetic against independent solutions."""

import math

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from animate.data.synthetic.pose import Pose, reach
from animate.data.synthetic.rig import RigBuilder, between
from animate.data.synthetic.shapes import box, capsule, ellipse, grown, smooth

FPS = 25.0


def pendulum(frames):
    """A bone that swings from one that is moved, with one square on each."""
    rig = RigBuilder()
    rig.bone("hand", None, (0.2, -0.3))
    rig.bone("tail", "hand", (0.2, 0.1), spring=1.5)
    rig.layer("all")
    rig.paint(box(0.1, 0.1, 0.3, 0.5), (100, 100, 100), "tail", "tail")
    rig.joint("tip", "tail", (0.2, 0.5))
    built = rig.build_with(["tip"])
    return built, Pose(built, frames)


def place(pose, bone, at):
    return (pose.maps()[:, pose.rig.bone(bone)] @ np.array([*at, 0.0, 1.0]))[:, :2]


def test_a_pose_at_rest_changes_nothing():
    _, pose = pendulum(3)
    np.testing.assert_allclose(place(pose, "tail", (0.25, 0.4)), [[0.25, 0.4]] * 3, atol=1e-12)


def test_children_follow_and_turn_about_their_own_pivots():
    _, pose = pendulum(1)
    pose.turn("hand", math.pi / 2)
    # A quarter turn clockwise on the screen about (0.2, -0.3) takes "below" to "left".
    np.testing.assert_allclose(place(pose, "tail", (0.2, 0.5))[0], [0.2 - 0.8, -0.3], atol=1e-12)
    pose.turn("tail", -math.pi / 2)
    np.testing.assert_allclose(place(pose, "tail", (0.2, 0.5))[0], [0.2 - 0.4, -0.3 + 0.4], atol=1e-12)
    pose.move("hand", 0.5, 0.0)
    np.testing.assert_allclose(place(pose, "tail", (0.2, 0.5))[0], [0.7 - 0.4, -0.3 + 0.4], atol=1e-12)


def test_yaw_moves_what_is_near_to_the_right_and_narrows():
    _, pose = pendulum(1)
    pose.turn("hand", yaw=0.6)
    near = (pose.maps()[:, 0] @ np.array([0.2, 0.0, 0.3, 1.0]))[0]
    np.testing.assert_allclose(near, [0.2 + 0.3 * math.sin(0.6), 0.0, 0.3 * math.cos(0.6)], atol=1e-12)
    side = (pose.maps()[:, 0] @ np.array([0.4, 0.0, 0.0, 1.0]))[0]
    assert side[0] == pytest.approx(0.2 + 0.2 * math.cos(0.6))


def test_the_pendulum_obeys_its_equation():
    frames, omega, damping, lever = 60, 2 * math.pi * 1.5, 0.28, 0.30
    rig, pose = pendulum(frames)
    times = np.arange(frames) / FPS
    # A constant acceleration of the pivot: the push is constant, so the integration has no error of its own.
    acceleration = 0.4
    pose.move("hand", 0.5 * acceleration * times**2)
    pose.swing(FPS)
    inner = slice(8, frames - 3)
    pushes = np.full(frames, acceleration / lever)

    def motion(t, state):
        push = pushes[min(int(t * FPS), frames - 1)]
        return [state[1], push - omega**2 * state[0] - 2 * damping * omega * state[1]]

    solved = solve_ivp(motion, (0, frames / FPS), [0, 0], t_eval=times + 1 / FPS - 1e-9, max_step=0.002)
    angle = pose.angle[:, rig.bone("tail")]
    # The numeric second derivative at the first two frames is halved, which rings off; compare after that.
    np.testing.assert_allclose(angle[inner], np.tanh(solved.y[0][inner]), atol=0.02)
    assert angle[30:].mean() == pytest.approx(acceleration / lever / omega**2, rel=0.1)


@pytest.mark.parametrize("bend", [-1.0, 1.0])
def test_a_leg_reaches_where_it_can_and_bends_to_its_side(bend):
    upper, lower = 0.3, 0.25
    hip = np.tile([0.1, 0.2], (4, 1))
    foot = np.array([[0.15, 0.6], [0.4, 0.45], [-0.2, 0.5], [0.1, 2.0]])
    first, second = reach(hip, foot, upper, lower, bend)
    knee = hip + upper * np.stack([-np.sin(first), np.cos(first)], axis=1)
    end = knee + lower * np.stack([-np.sin(second), np.cos(second)], axis=1)
    np.testing.assert_allclose(end[:3], foot[:3], atol=0.006)
    # Too far: nearly straight, in the right direction.
    np.testing.assert_allclose(end[3], [0.1, 0.2 + 0.985 * (upper + lower)], atol=1e-3)
    way, aside = foot - hip, knee - hip
    across = way[:, 1] * aside[:, 0] - way[:, 0] * aside[:, 1]
    assert (bend * across > 0).all()


def test_shapes_have_the_areas_of_geometry():
    def area(p):
        return abs(np.sum(p[:, 0] * np.roll(p[:, 1], -1) - p[:, 1] * np.roll(p[:, 0], -1))) / 2

    assert area(ellipse((0.3, -0.2), 0.5, 0.2, corners=100, turn=0.7)) == pytest.approx(
        math.pi * 0.1, rel=2e-3
    )
    limb = capsule((0.0, 0.0), (0.3, 0.4), 0.1, 0.1, corners=50)
    assert area(limb) == pytest.approx(0.5 * 0.2 + math.pi * 0.01, rel=2e-3)
    circle = ellipse((0.0, 0.0), 0.4, 0.4, corners=64)
    np.testing.assert_allclose(np.linalg.norm(grown(circle, 0.05), axis=1), 0.45, atol=1e-9)
    np.testing.assert_allclose(np.linalg.norm(grown(circle[::-1], -0.05), axis=1), 0.35, atol=1e-9)
    through = smooth([(0.0, 0.0), (1.0, 0.0), (1.0, 1.0)], steps=4)
    np.testing.assert_allclose(through[[0, 4, 8]], [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0)])


def test_a_skin_passes_smoothly_from_bone_to_bone():
    skin = between("a", "b", 1, 0.0, 1.0)
    shares = skin(np.array([[0.0, -1.0], [0.0, 0.5], [0.0, 3.0]]))
    np.testing.assert_allclose(shares["b"], [0.0, 0.5, 1.0])
    np.testing.assert_allclose(shares["a"] + shares["b"], 1.0)
