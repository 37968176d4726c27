"""Where the square of a crop lies, and which pixels it shows."""

from __future__ import annotations

import numpy as np
import pytest

from animate.annotate.tubes import Tube
from animate.pipelines.crop import Framing, cut_share, squares
from animate.video.image import resize_part

PICTURE = (240, 320)


def tube(boxes):
    boxes = np.asarray(boxes, float)
    return Tube(5, boxes, np.ones(len(boxes), bool))


def swaying(count=50, centre=(160, 120), sides=(40, 60), sway=6.0, noise=0.0):
    rng = np.random.default_rng(0)
    x = centre[0] + sway * np.sin(np.arange(count) / 8) + noise * rng.normal(size=count)
    y = np.full(count, float(centre[1])) + noise * rng.normal(size=count)
    return np.stack([x - sides[0] / 2, y - sides[1] / 2, x + sides[0] / 2, y + sides[1] / 2], axis=1)


def holds(square, boxes):
    """Whether each box lies in its square."""
    low = (square[:, :2] <= boxes[:, :2] + 1e-9).all(axis=1)
    return low & (square[:, :2] + square[:, 2:] >= boxes[:, 2:] - 1e-9).all(axis=1)


def test_a_fixed_square_stands_still_on_whole_pixels_and_holds_the_figure():
    boxes = swaying(noise=1.0)
    square = squares(tube(boxes), PICTURE, 25, Framing(0.2))
    assert (square == square[0]).all()
    assert (square == np.round(square)).all()
    assert holds(square, boxes).all()
    # Union of 60 high and 40 + about 2 * 6 wide, with 20 % of the longer side around.
    assert square[0, 2] == pytest.approx(62 * 1.4, abs=4)


def test_one_wild_box_does_not_move_a_fixed_square():
    boxes = swaying(count=100)
    wild = boxes.copy()
    wild[40] = (0, 0, 320, 240)
    calm, disturbed = (squares(tube(b), PICTURE, 25, Framing(0.3)) for b in (boxes, wild))
    np.testing.assert_allclose(calm, disturbed, atol=1)


def test_a_smooth_square_follows_without_jitter():
    truth = np.linspace([60, 100], [250, 130], 100)
    rng = np.random.default_rng(1)
    noisy = truth + rng.normal(scale=2.0, size=truth.shape)
    boxes = np.concatenate([noisy - 20, noisy + 20], axis=1)
    square = squares(tube(boxes), PICTURE, 25, Framing(0.2, smooth=True))
    centres = square[:, :2] + square[:, 2:] / 2
    assert np.abs(centres - truth)[10:-10].max() < 2.0  # it does follow
    jitter = np.abs(np.diff(centres, 2, axis=0)).mean()
    assert jitter < np.abs(np.diff(noisy, 2, axis=0)).mean() / 30
    assert np.abs(np.diff(square[:, 2])).max() < 0.5


@pytest.mark.parametrize("smooth", [False, True])
def test_at_the_edge_the_square_moves_inside(smooth):
    boxes = swaying(centre=(25, 35), sway=2)
    square = squares(tube(boxes), PICTURE, 25, Framing(0.5, smooth))
    assert (square[:, :2] >= 0).all()
    assert square[0, 2] == pytest.approx(60 * 2, abs=4)  # it is not made smaller for that
    assert holds(square, boxes).all()


@pytest.mark.parametrize("smooth", [False, True])
def test_the_margin_gives_way_where_the_picture_is_too_small(smooth):
    boxes = swaying(centre=(160, 120), sides=(150, 200), sway=3)
    square = squares(tube(boxes), PICTURE, 25, Framing(0.5, smooth))
    np.testing.assert_allclose(square[:, 1:], [[0, 240]] * 50, atol=1e-6)


def test_a_figure_wider_than_the_picture_is_high_reaches_over_the_edge():
    square = squares(tube(np.tile([10.0, 100, 310, 140], (10, 1))), PICTURE, 25, Framing(0.5))
    assert square[0].tolist() == [10, -30, 300]  # the figure's own extent; above and below there is nothing


def test_cut_share_counts_the_frames_in_which_it_was_seen():
    boxes = np.array([[0.0, 50, 40, 90], [10, 50, 50, 90], [285, 50, 320, 90], [10, 50, 50, 239.8]])
    seen = np.array([True, True, False, True])
    assert cut_share(Tube(0, boxes, seen), PICTURE) == pytest.approx(2 / 3)


def triangle(length, start, side, size):
    """(size, length) weights of a triangle filter as wide as the coarser pixel, edges repeated."""
    scale = side / size
    support = max(1.0, scale)
    weights = np.zeros((size, length))
    for i in range(size):
        centre = start + (i + 0.5) * scale
        taps = np.arange(int(np.floor(centre - support)) - 1, int(np.ceil(centre + support)) + 1)
        values = np.maximum(0, 1 - np.abs(taps + 0.5 - centre) / support)
        for tap, value in zip(taps, values / values.sum(), strict=True):
            weights[i, min(max(tap, 0), length - 1)] += value
    return weights


@pytest.mark.parametrize(
    ("corner", "side", "size"),
    [((3.3, 4.7), 20.5, 8), ((3.3, 4.7), 9.25, 24), ((-6.4, 20.2), 30.0, 16), ((10.0, 5.0), 12.0, 12)],
)
def test_pixels_equal_the_formula_of_the_filter(corner, side, size):
    image = np.random.default_rng(2).integers(0, 256, (40, 50, 3), np.uint8)
    rows, columns = triangle(40, corner[1], side, size), triangle(50, corner[0], side, size)
    expected = np.einsum("ih,hwc,jw->ijc", rows, image.astype(float), columns)
    np.testing.assert_allclose(resize_part(image, corner, side, size), expected, atol=1.01)


def test_whole_pixels_at_their_own_size_are_copied():
    image = np.random.default_rng(3).integers(0, 256, (40, 50, 3), np.uint8)
    np.testing.assert_array_equal(resize_part(image, (7, 9), 16, 16), image[9:25, 7:23])


def test_outside_the_edge_is_repeated():
    image = np.random.default_rng(4).integers(0, 256, (20, 20, 3), np.uint8)
    padded = np.pad(image, ((10, 10), (10, 10), (0, 0)), mode="edge")
    np.testing.assert_array_equal(resize_part(image, (-10, -10), 40, 40), padded)
