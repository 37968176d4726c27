"""Tables of pictures and drawn points: sizes, places and colours."""

from __future__ import annotations

import numpy as np
import pytest

from animate.video.grid import draw_keypoints, tile

RED, GREEN = (np.full((128, 192, 3), colour, np.uint8) for colour in ((255, 0, 0), (0, 255, 0)))


def test_tile_places_pictures():
    table = tile([[RED, GREEN], [GREEN]])
    assert table.dtype == np.uint8
    gutter = 4
    assert table.shape == (2 * 128 + 3 * gutter, 2 * 192 + 3 * gutter, 3)
    assert (table[gutter : gutter + 128, gutter : gutter + 192] == (255, 0, 0)).all()
    assert (table[gutter : gutter + 128, -gutter - 192 : -gutter] == (0, 255, 0)).all()
    assert (table[-gutter - 128 : -gutter, gutter : gutter + 192] == (0, 255, 0)).all()
    assert (table[-gutter - 128 : -gutter, -gutter - 192 : -gutter] == 255).all()
    assert (table[:gutter] == 255).all()


@pytest.mark.parametrize(
    ("size", "shown"), [((64, 64), 128), ((50, 90), 150), ((1, 1), 128), ((256, 256), 256)]
)
def test_small_pictures_are_enlarged_by_a_whole_number(size, shown):
    table = tile([[np.full((*size, 3), (255, 0, 0), np.uint8)]])
    red = (table == (255, 0, 0)).all(-1)
    assert (red.any(1).sum(), red.any(0).sum()) == (shown, shown * size[1] // size[0])


def test_tile_fits_pictures_into_cells_and_keeps_their_aspect():
    table = tile([[RED]], cell=(64, 64))
    red = (table == (255, 0, 0)).all(-1)
    rows, columns = np.flatnonzero(red.any(1)), np.flatnonzero(red.any(0))
    assert len(columns) == 64
    assert len(rows) == round(64 * 128 / 192)
    assert abs((rows[0] + rows[-1]) - (table.shape[0] - 1)) <= 1


def test_tile_labels_stand_above_their_columns():
    plain, labelled = tile([[RED, GREEN]]), tile([[RED, GREEN]], labels=["source", ""])
    header = labelled.shape[0] - plain.shape[0]
    assert header > 0
    np.testing.assert_array_equal(labelled[header + 4 :], plain[4:])
    dark = (labelled[:header] < 128).all(-1)
    assert dark[:, :196].any()
    assert not dark[:, 200:].any()


def test_long_labels_are_shrunk_to_the_column():
    labelled = tile([[RED, GREEN]], labels=["a very long label for a column of pictures like this", ""])
    assert not (labelled[:14, 200:] < 128).any()


def test_tile_needs_a_picture():
    with pytest.raises(ValueError, match="at least one"):
        tile([])


def test_keypoints_stand_where_they_say_in_colours_of_their_own():
    image = np.full((65, 129, 3), 90, np.uint8)
    points = np.array([[-0.5, -0.5], [0, 0], [0.5, 0.5], [np.nan, 0], [0.9, -0.9]], np.float32)
    drawn = draw_keypoints(image, points)
    assert (image == 90).all()
    assert drawn.shape == image.shape
    places = [(16, 32), (32, 64), (48, 96)]
    colours = [tuple(int(v) for v in drawn[place]) for place in places]
    assert len(set(colours)) == 3
    for (y, x), colour in zip(places, colours, strict=True):
        same = np.argwhere((drawn == colour).all(-1))
        np.testing.assert_allclose(same.mean(0), (y, x), atol=0.6)


def test_points_outside_do_no_harm():
    drawn = draw_keypoints(RED, np.array([[3, 3], [-9, 0], [1e9, 0]], np.float32))
    np.testing.assert_array_equal(drawn, RED)
