"""Filling without learning: what each method gives on pictures where the answer is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from animate.training.fills import FILLS


def batch_of(picture, hole):
    """One frame, after the one that does not count."""
    pictures = torch.from_numpy(picture).movedim(-1, 0).float().div(255).expand(1, 2, -1, -1, -1)
    return {"frames": pictures, "hole_mask": torch.from_numpy(hole).float().expand(1, 2, 1, -1, -1)}


@pytest.mark.parametrize("name", FILLS)
def test_a_plain_picture_is_restored_and_the_hole_is_never_looked_at(name):
    picture, hole = np.full((24, 30, 3), (200, 120, 40), np.uint8), np.zeros((24, 30), np.float32)
    hole[8:15, 10:20] = 1
    spoiled = picture.copy()
    spoiled[hole > 0] = 255
    made = FILLS[name](batch_of(spoiled, hole))
    assert made.shape == (1, 3, 24, 30)
    expected = torch.from_numpy(picture).movedim(-1, 0)[None] / 255
    torch.testing.assert_close(made, expected, rtol=0, atol=2.01 / 255)


@pytest.mark.parametrize("name", FILLS)
def test_what_is_known_stays(name):
    rng = np.random.default_rng(0)
    picture, hole = rng.integers(0, 256, (20, 20, 3), np.uint8), np.zeros((20, 20), np.float32)
    hole[5:9, 5:9] = 1
    made = (FILLS[name](batch_of(picture, hole))[0].movedim(0, -1) * 255).round().byte().numpy()
    np.testing.assert_array_equal(made[hole == 0], picture[hole == 0])
