"""Tables of pictures and drawn points: sizes, places and colours."""

from __future__ import annotations

import numpy as np
import pytest

from animate.video.grid import draw_keypoints, tile

RED, GREEN = (np.full((32, 48, 3), colour, np.uint8) for colour in ((255, 0, 0), (0, 255, 0)))


def test_tile_places_pictures():
    table = tile([[RED, GREEN], [GREEN]])
    assert table.dtype == np.uint8
    gutter = 2
    assert table.shape == (2 * 32 + 3 * gutter, 2 * 48 + 3 * gutter, 3)
    assert (table[gutter : gutter + 32, gutter : gutter + 48] == (255, 0, 0)).all()
    assert (table[gutter : gutter + 32, -gutter - 48 : -gutter] == (0, 255, 0)).all()
    assert (table[-gutter - 32 : -gutter, gutter : gutter + 48] == (0, 255, 0)).all()
    assert (table[-gutter - 32 : -gutter, -gutter - 48 : -gutter] == 255).all()
    assert (table[:gutter] == 255).all()


def test_tile_fits_pictures_into_cells_and_keeps_their_aspect():
    table = tile([[RED]], cell=(64, 64))
    red = (table == (255, 0, 0)).all(-1)
    rows, columns = np.flatnonzero(red.any(1)), np.flatnonzero(red.any(0))
    assert len(columns) == 64
    assert len(rows) == round(64 * 32 / 48)
    assert abs((rows[0] + rows[-1]) - (table.shape[0] - 1)) <= 1


def test_tile_labels_stand_above_their_columns():
    plain, labelled = tile([[RED, GREEN]]), tile([[RED, GREEN]], labels=["source", ""])
    header = labelled.shape[0] - plain.shape[0]
    assert header > 0
    np.testing.assert_array_equal(labelled[header + 2 :], plain[2:])
    dark = (labelled[:header] < 128).all(-1)
    assert dark[:, :50].any()
    assert not dark[:, 52:].any()


def test_long_labels_are_shrunk_to_the_column():
    labelled = tile([[RED, GREEN]], labels=["a very long label for it", ""])
    assert not (labelled[:12, 52:] < 128).any()


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
