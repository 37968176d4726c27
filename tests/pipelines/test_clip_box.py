"""One square for a clip: places of the figure are known, so is the square."""

from __future__ import annotations

import numpy as np
import pytest

from animate.pipelines.clip_box import clip_box


def boxes(*places, side=20.0):
    """One box of this side for each (left, top); None: nothing found."""
    return [
        np.empty((0, 4)) if p is None else np.array([[p[0], p[1], p[0] + side, p[1] + side]]) for p in places
    ]


def test_it_holds_the_figure_in_every_frame():
    found = boxes(*[(50 + 4 * n, 40 + n) for n in range(10)])
    # x from 50 to 106, y from 40 to 69: 56 across, so 14 more on each side with a quarter of margin
    assert clip_box(found, (200, 300), 0.25) == (36, 12, 84, 84)
    square = clip_box(found, (200, 300), 0.0)
    assert square == (50, 26, 56, 56)


@pytest.mark.parametrize(("place", "expected"), [((0, 0), (0, 0, 60, 60)), ((280, 180), (240, 140, 60, 60))])
def test_at_the_edge_it_is_moved_inside(place, expected):
    assert clip_box(boxes(place), (200, 300), 1.0) == expected


def test_what_does_not_fit_is_shrunk_to_the_shorter_side():
    assert clip_box(boxes((0, 50), (280, 50)), (120, 300), 0.5) == (90, 0, 120, 120)


def test_others_and_mistakes_do_not_count():
    large = np.array([60.0, 60.0, 100.0, 100.0])
    small, mistake = np.array([200.0, 20.0, 220.0, 40.0]), np.array([0.0, 180.0, 10.0, 190.0])
    found = [np.stack([large + n % 2, small]) for n in range(60)]
    found[30:45] = [np.stack([small])] * 15  # the large one is lost for a while and found again elsewhere
    found[45:] = [np.stack([large + 20])] * 15
    found[36] = np.stack([mistake])
    assert clip_box(found, (200, 300), 0.0) == (60, 60, 60, 60)


def test_nothing_found():
    assert clip_box(boxes(None, None), (200, 300), 0.5) is None
