"""Smoothing against the definitions, written out point by point."""

import numpy as np
import pytest

from animate.annotate.protocols import Pose
from animate.pipelines.pose_smoothing import SMOOTHINGS, median, one_euro

FPS = 25.0


def noisy(count=60, seed=0):
    """Points on a slow circle with a tremble, some away."""
    rng = np.random.default_rng(seed)
    angle = np.linspace(0, 2, count)[:, None] + np.arange(3)
    clean = np.stack([np.cos(angle), np.sin(angle)], -1) * 0.5
    found = rng.random((count, 3)) > 0.1
    points = np.where(found[..., None], clean + rng.normal(0, 0.02, clean.shape), 0.0).astype(np.float32)
    return Pose("hand21", points, found, found.astype(np.float32)), clean


@pytest.mark.parametrize("name", SMOOTHINGS)
def test_what_was_not_found_stays_so_and_takes_no_part(name):
    pose, _ = noisy()
    smooth = SMOOTHINGS[name](pose, FPS)
    np.testing.assert_array_equal(smooth.found, pose.found)
    assert not smooth.points[~pose.found].any()
    other = pose.points.copy()
    other[~pose.found] = 99.0
    again = SMOOTHINGS[name](Pose(pose.layout, other, pose.found, pose.score), FPS)
    np.testing.assert_array_equal(again.points[pose.found], smooth.points[pose.found])


@pytest.mark.parametrize(("fps", "reach"), [(25.0, 3), (50.0, 6), (5.0, 1), (4.0, 0)])
def test_the_median_is_the_median_of_what_was_found_around(fps, reach):
    pose, _ = noisy()
    smooth = median(pose, fps)
    for n in range(60):
        for j in range(3):
            around = [m for m in range(n - reach, n + reach + 1) if 0 <= m < 60 and pose.found[m, j]]
            if pose.found[n, j]:
                expected = np.median(pose.points[around, j], axis=0)
                np.testing.assert_allclose(smooth.points[n, j], expected, atol=1e-6)


def test_the_one_euro_filter_is_the_published_one():
    pose, _ = noisy()
    smooth = one_euro(pose, FPS)

    def alpha(cutoff):
        tau = 1.0 / (2.0 * np.pi * cutoff)
        return 1.0 / (1.0 + tau * FPS)

    for j in range(3):
        for axis in range(2):
            value, speed = None, 0.0
            for n in range(60):
                x = float(pose.points[n, j, axis])
                if not pose.found[n, j] or not (n and pose.found[n - 1, j]):
                    value, speed = x, 0.0
                else:
                    speed += alpha(1.0) * ((x - value) * FPS - speed)
                    value += alpha(1.5 + 3.0 * abs(speed)) * (x - value)
                if pose.found[n, j]:
                    assert smooth.points[n, j, axis] == pytest.approx(value, abs=1e-5)


@pytest.mark.parametrize("name", ["median", "one-euro"])
def test_a_tremble_becomes_less(name):
    pose, clean = noisy(200)
    smooth = SMOOTHINGS[name](pose, FPS)

    def tremble(points):
        both = pose.found[2:] & pose.found[1:-1] & pose.found[:-2]
        return np.abs(np.diff(points, n=2, axis=0))[both].mean()

    assert tremble(smooth.points) < 0.6 * tremble(pose.points)
    error = np.linalg.norm(smooth.points - clean, axis=-1)[pose.found].mean()
    assert error < np.linalg.norm(pose.points - clean, axis=-1)[pose.found].mean()
