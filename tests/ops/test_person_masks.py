"""The variants of masks: their rules written out, and what they leave of a known figure."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage

from animate.data.synthetic import PuppetIndex
from animate.ops.person_masks import VARIANTS, crop_square, feather_composite


@pytest.fixture(scope="module")
def truth():
    clip = PuppetIndex(train_clips=1, kinds=["person"], frames=4).clips("train")[0]
    return clip.reader.open(clip).truth([0], (96, 80))["person_mask"][0]


@pytest.fixture(scope="module")
def matte(truth):
    """As a network might give it: soft, with a gap in the body and a faint speck elsewhere."""
    soft = ndimage.gaussian_filter(truth, 0.7)
    rows, columns = np.nonzero(truth > 0.99)
    soft[int(np.median(rows)), int(np.median(columns))] = 0.05
    soft[:6, :6] = 0.4
    return torch.from_numpy(soft)[None, None]


def numpy(mask):
    return mask[0, 0].numpy()


def test_the_rules_of_the_users_variants(matte):
    raw, window = numpy(matte), np.ones((3, 3))
    person, hole = map(numpy, VARIANTS["v1"](matte))
    np.testing.assert_array_equal(person, raw)
    np.testing.assert_array_equal(hole, raw > 0.5)
    person, hole = map(numpy, VARIANTS["v2"](matte))
    np.testing.assert_array_equal(person, ndimage.grey_erosion(raw, (3, 3), mode="constant", cval=1))
    np.testing.assert_array_equal(hole, person > 0.5)
    person, hole = map(numpy, VARIANTS["v2.1"](matte))
    np.testing.assert_array_equal(person, ndimage.binary_erosion(raw > 0.1, window, border_value=1))
    np.testing.assert_array_equal(hole, person)


def test_own_takes_the_whole_figure_and_nothing_else(matte, truth):
    person, hole = map(numpy, VARIANTS["own"](matte))
    assert (hole[truth > 0.05] == 1).all(), "no pixel of the figure is left"
    assert (hole[:6, :6] == 0).all(), "a faint speck is no figure"
    grown = ndimage.binary_dilation(truth > 0, np.ones((9, 9)))
    assert (hole[~grown] == 0).all()
    assert (person <= hole).all()


def test_v2_leaves_a_rim_that_own_does_not(matte, truth):
    left = {
        name: float((truth * (1 - numpy(make(matte).hole_mask))).sum()) for name, make in VARIANTS.items()
    }
    assert left["own"] == 0 < left["v1"] < left["v2"]


def test_v3_keeps_the_largest_figure(matte):
    two = matte.clone()
    two[..., -12:, -12:] = 0.9
    hole = numpy(VARIANTS["v3"](two).hole_mask)
    labels, count = ndimage.label(numpy(two) > 0.5)
    largest = 1 + int(np.argmax(np.bincount(labels.ravel())[1:]))
    assert count > 1
    np.testing.assert_array_equal(hole, labels == largest)


def test_v3s_square_is_around_the_figure_with_its_margin():
    mattes = torch.zeros(3, 1, 60, 80)
    mattes[0, :, 10:40, 20:30] = 1
    mattes[1, :, 50:53, 5:65] = 0.8
    mattes[1, :, 0:4, 0:4] = 1
    # Centres (25, 25) and (35, 51.5); sides 30 + 20 and 60 + 20.
    assert crop_square(mattes).tolist() == [[0, 0, 50], [-5, 11, 80], [0, 0, 0]]


def test_variants_work_on_batches_and_on_empty_and_full_mattes(matte):
    batch = torch.cat([matte, torch.zeros_like(matte), torch.ones_like(matte)])
    for make in VARIANTS.values():
        alone = [make(one[None]) for one in batch]
        for together, each in zip(make(batch), zip(*alone, strict=True), strict=True):
            assert torch.equal(together, torch.cat(each))
        hole = make(batch).hole_mask
        assert hole[1].sum() == 0
        assert hole[2].mean() == 1


def test_a_composite_is_what_was_made_in_the_hole_and_the_picture_far_from_it():
    made, picture, hole = torch.rand(1, 3, 32, 32), torch.rand(1, 3, 32, 32), torch.zeros(1, 1, 32, 32)
    hole[..., 10:20, 10:20] = 1
    result = feather_composite(made, picture, hole, 2)
    assert torch.equal(result[..., 10:20, 10:20], made[..., 10:20, 10:20])
    assert torch.equal(result[..., :6, :], picture[..., :6, :])
    assert not torch.equal(result[..., 9, 10:20], picture[..., 9, 10:20])
