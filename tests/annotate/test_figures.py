"""Coordinates, and who of several figures is the main one."""

import numpy as np

from animate.annotate.figures import Figure, main_figures, main_pose, overlap, to_pixels, to_unit, unit_box
from animate.annotate.protocols import Box
from animate.layouts import FACE5


def square(x, side, score=1.0):
    return Box(x - side / 2, -side / 2, x + side / 2, side / 2, score)


def test_pixels_and_unit_coordinates():
    size = (101, 201)  # height, width
    corners = np.array([[0.0, 0.0], [200.0, 100.0], [100.0, 50.0], [-10.0, 110.0]])
    expected = [[-1.0, -1.0], [1.0, 1.0], [0.0, 0.0], [-1.1, 1.2]]
    np.testing.assert_allclose(to_unit(corners, size), expected, atol=1e-6)
    np.testing.assert_allclose(to_pixels(to_unit(corners, size), size), corners, atol=1e-4)
    assert np.isfinite(to_unit(corners, (1, 1))).all()
    np.testing.assert_allclose(unit_box((0, 25, 100, 75), 1.5, size), (-1.0, -0.5, 0.0, 0.5, 1.0), atol=1e-6)


def test_overlap_by_hand():
    assert overlap(Box(0, 0, 2, 2), Box(1, 0, 3, 2)) == 2 / 6
    assert overlap(Box(0, 0, 1, 1), Box(2, 2, 3, 3)) == 0.0
    assert overlap(Box(0, 0, 0, 0), Box(0, 0, 0, 0)) == 0.0


def test_the_main_figure_is_the_largest_weighed_by_certainty():
    assert main_figures([[square(-0.5, 0.2), square(0.5, 0.3)]]) == [1]
    assert main_figures([[square(-0.5, 0.2), square(0.5, 0.3, score=0.1)]]) == [0]
    assert main_figures([[], [square(0.0, 0.1)], []]) == [None, 0, None]
    assert main_figures([]) == []


def test_two_of_about_the_same_size_do_not_take_turns():
    a, b = square(-0.5, 0.30), square(0.5, 0.31)
    c, d = square(-0.5, 0.31), square(0.5, 0.30)
    # Whatever the order in which they are listed, and across a frame in which nobody is found.
    assert main_figures([[a, b], [c, d], [], [d, c], [a, b]]) == [1, 1, None, 0, 1]
    # Somebody much larger takes over.
    assert main_figures([[a, b], [square(-0.5, 0.6), d]]) == [1, 0]


def test_a_pose_of_the_main_figure():
    small = Figure(np.linspace(-0.1, 0.1, 10).reshape(5, 2), np.ones(5))
    large = Figure(np.linspace(-0.5, 0.9, 10).reshape(5, 2), np.array([0.9, 0.0, 0.9, 0.9, 1.4]))
    pose = main_pose(FACE5, [[small, large], []])
    np.testing.assert_array_equal(pose.found, [[True, False, True, True, True], [False] * 5])
    np.testing.assert_allclose(pose.points[0, [0, 2, 3, 4]], large.points[[0, 2, 3, 4]], rtol=1e-6)
    assert not pose.points[~pose.found].any()
    np.testing.assert_allclose(pose.score[0], [0.9, 0.0, 0.9, 0.9, 1.0], rtol=1e-6)
    assert pose.points.dtype == pose.score.dtype == np.float32
