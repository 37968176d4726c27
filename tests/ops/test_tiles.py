"""Windows over large pictures: they cover everything, and leave no seams."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch

from animate.ops.tiles import by_windows, window_starts


@pytest.mark.parametrize("length", [1, 9, 10, 11, 17, 18, 40, 101])
def test_windows_cover_the_axis_and_overlap(length):
    side, overlap = 10, 3
    starts = window_starts(length, side, overlap)
    assert starts[0] == 0
    assert starts[-1] + side == max(length, side)
    assert all(0 < b - a <= side - overlap for a, b in pairwise(starts))
    assert len(starts) == 1 or length > side


@pytest.mark.parametrize("size", [(8, 8), (16, 16), (23, 37), (50, 9)])
def test_a_function_of_single_pixels_is_the_same_without_windows(size):
    pictures = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(0))
    found = by_windows(lambda part: part[:, :2] ** 2, pictures, 16, 5)
    torch.testing.assert_close(found, pictures[:, :2] ** 2, rtol=0, atol=1e-6)


def test_windows_that_disagree_leave_no_seam():
    """Each window says another number: the result changes by small steps only, between those numbers."""
    numbers = iter(range(100))
    found = by_windows(
        lambda part: torch.full_like(part[:, :1], next(numbers)), torch.zeros(1, 1, 1, 76), 16, 8
    )
    row = found[0, 0, 0]
    assert row[0] == 0
    assert row[-1] == len(window_starts(76, 16, 8)) - 1
    steps = row.diff()
    assert steps.min() >= -1e-5
    assert steps.max() < 2.1 / (8 + 1)  # a jump from one window to the next would be 1
