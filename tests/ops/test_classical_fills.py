"""Filling without learning: what each method gives where the answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from animate.ops.classical_fills import CLASSICAL, nearest_pixel


@pytest.mark.parametrize("name", CLASSICAL)
def test_a_plain_picture_is_restored_and_what_is_known_stays(name):
    rng = np.random.default_rng(0)
    hole = np.zeros((24, 30), np.uint8)
    hole[8:15, 10:20] = 1
    plain = np.full((24, 30, 3), (200, 120, 40), np.uint8)
    spoiled = np.where(hole[..., None] > 0, np.uint8(0), plain)
    assert np.abs(CLASSICAL[name](spoiled, hole).astype(int) - plain).max() <= 2
    noise = rng.integers(0, 256, (24, 30, 3), np.uint8)
    made = CLASSICAL[name](noise, hole)
    np.testing.assert_array_equal(made[hole == 0], noise[hole == 0])
    whole = CLASSICAL[name](noise, np.zeros_like(hole))
    np.testing.assert_array_equal(whole, noise)


@pytest.mark.parametrize("name", CLASSICAL)
def test_what_is_in_the_hole_is_never_looked_at(name):
    rng = np.random.default_rng(1)
    hole = np.zeros((24, 30), np.uint8)
    hole[8:15, 10:20] = 1
    a, b = rng.integers(0, 256, (2, 24, 30, 3), np.uint8)
    b[hole == 0] = a[hole == 0]
    np.testing.assert_array_equal(CLASSICAL[name](a, hole), CLASSICAL[name](b, hole))


def test_the_nearest_pixel_is_the_nearest():
    rng = np.random.default_rng(1)
    picture, hole = rng.integers(0, 256, (15, 18, 3), np.uint8), np.zeros((15, 18), np.uint8)
    hole[3:12, 4:13] = 1
    made = nearest_pixel(picture, hole)
    known = np.argwhere(hole == 0)
    for place in np.argwhere(hole):
        distances = np.linalg.norm(known - place, axis=1)
        near = known[distances <= distances.min() + 0.15]  # OpenCV's distances are not quite Euclid's
        assert any((made[tuple(place)] == picture[tuple(one)]).all() for one in near)
    np.testing.assert_array_equal(nearest_pixel(picture, np.ones_like(hole)), picture)
