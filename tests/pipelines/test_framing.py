from __future__ import annotations

import numpy as np
import pytest

from animate.errors import UserError
from animate.pipelines.framing import Box, PasteBack, to_model


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_box_from_text():
    assert Box.parse("3, 4,50,60") == Box(3, 4, 50, 60)
    for wrong in ("", "1,2,3", "a,b,c,d", "-1,0,5,5", "0,0,0,5", "1.5,0,5,5", "1,2,3,4,5"):
        with pytest.raises((ValueError, TypeError)):
            Box.parse(wrong)


def test_box_must_fit():
    picture = noise(40, 60)
    assert Box(20, 0, 40, 40).check(picture, "a.png") == Box(20, 0, 40, 40)
    with pytest.raises(UserError, match=r"a\.png.*21,0,40,40.*60x40"):
        Box(21, 0, 40, 40).check(picture, "a.png")


def test_the_centre_square_is_not_stretched():
    picture = noise(40, 61)
    np.testing.assert_array_equal(to_model(picture, 40), picture[:, 10:50])
    np.testing.assert_array_equal(to_model(picture.swapaxes(0, 1), 40), picture.swapaxes(0, 1)[10:50])


def test_a_box_is_resized_to_the_model():
    picture = np.zeros((40, 80, 3), np.uint8)
    picture[10:30, 20:60] = (10, 200, 30)
    square = to_model(picture, 16, Box(20, 10, 40, 20))
    assert square.shape == (16, 16, 3)
    assert (square == (10, 200, 30)).all()


def test_pasting_leaves_the_outside_alone_and_the_inside_exact():
    picture, animated = noise(120, 160), noise(100, 100, seed=1)
    result = PasteBack.into(picture, Box(30, 10, 100, 100))(animated)
    outside = np.ones((120, 160), bool)
    outside[10:110, 30:130] = False
    np.testing.assert_array_equal(result[outside], picture[outside])
    np.testing.assert_array_equal(result[18:102, 38:122], animated[8:92, 8:92])
    assert (result[10:110, 30:130] != picture[10:110, 30:130]).any()


def test_the_rim_fades_monotonically():
    picture = np.zeros((100, 140, 3), np.uint8)
    result = PasteBack.into(picture, Box(20, 0, 100, 100))(np.full((50, 50, 3), 255, np.uint8))
    row = result[50, :, 0].astype(int)
    assert (np.diff(row[19:29]) > 0).all()
    assert (np.diff(row[111:121]) < 0).all()
    assert (row[28:112] == 255).all()
    assert not row[:20].any()
    assert not row[120:].any()


def test_no_rim_on_the_picture_s_own_edge():
    picture, animated = noise(64, 64), noise(64, 64, seed=1)
    whole = PasteBack.into(picture, Box.centre_square(64, 64))
    np.testing.assert_array_equal(whole(animated), animated)
    left = PasteBack.into(noise(64, 100), Box(0, 0, 64, 64))(animated)
    np.testing.assert_array_equal(left[:, :59], animated[:, :59])
    assert (left[:, 63] != animated[:, 63]).any()


def test_pasting_does_not_touch_the_original():
    picture = noise(50, 50)
    before = picture.copy()
    PasteBack.into(picture, Box(5, 5, 30, 30))(noise(8, 8))
    np.testing.assert_array_equal(picture, before)
