"""What is seen first along rows and columns."""

from __future__ import annotations

import numpy as np
import torch

from animate.ops.first_known import first_known


def looked_for(picture, known, y, x, step):
    """Walk from a pixel until one is known: its colour and how far it is, or None."""
    distance = 0
    while 0 <= y < known.shape[0] and 0 <= x < known.shape[1]:
        if known[y, x]:
            return picture[:, y, x], distance
        y, x, distance = y + step[0], x + step[1], distance + 1
    return None


def test_it_equals_a_walk_from_every_pixel():
    rng = np.random.default_rng(0)
    pictures = rng.random((2, 3, 7, 9), np.float32)
    known = (rng.random((2, 1, 7, 9)) < 0.3).astype(np.float32)
    known[0, :, 2] = 0  # a row of which nothing is known
    colours, distance, found = (one.numpy() for one in first_known(*map(torch.from_numpy, (pictures, known))))
    steps = [(0, -1), (0, 1), (-1, 0), (1, 0)]  # left, right, up, down
    for b, way, y, x in np.ndindex(2, 4, 7, 9):
        step = steps[way]
        expected = looked_for(pictures[b], known[b, 0], y, x, step)
        assert found[b, way, y, x] == (expected is not None)
        if expected is None:
            assert distance[b, way, y, x] == 1
            assert not colours[b, way, :, y, x].any()
        else:
            np.testing.assert_array_equal(colours[b, way, :, y, x], expected[0])
            side = 9 if step[0] == 0 else 7
            np.testing.assert_allclose(distance[b, way, y, x], expected[1] / side, rtol=1e-6)
