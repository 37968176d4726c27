"""Morphology against ``scipy.ndimage``, on random masks, several at once."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage

from animate.ops.morphology import (
    components,
    dilate,
    dilate_each,
    erode,
    extent,
    feathered,
    fill_holes,
    hysteresis,
    largest_component,
)


@pytest.fixture(scope="module")
def mattes():
    """Soft blobs with specks and gaps, one empty and one full."""
    noise = np.random.default_rng(0).random((6, 40, 53))
    soft = np.stack([ndimage.gaussian_filter(one, 1 + number / 2) for number, one in enumerate(noise)])
    soft = (soft - soft.min((1, 2), keepdims=True)) / np.ptp(soft, axis=(1, 2), keepdims=True)
    soft[4], soft[5] = 0, 1
    return soft.astype(np.float32)


@pytest.fixture(scope="module")
def masks(mattes):
    return (mattes > 0.5).astype(np.float32)


def tensor(masks):
    return torch.from_numpy(masks)[:, None]


def equal(ours, expected):
    assert ours.shape[1] == 1
    np.testing.assert_array_equal(ours[:, 0].numpy(), np.stack([*expected]))


@pytest.mark.parametrize("side", [1, 3, 7])
def test_dilation_and_erosion(mattes, masks, side):
    window = np.ones((side, side))
    equal(dilate(tensor(masks), side), (ndimage.binary_dilation(m, window, border_value=0) for m in masks))
    equal(erode(tensor(masks), side), (ndimage.binary_erosion(m, window, border_value=1) for m in masks))
    at_edges = {"mode": "constant", "cval": 0.0}
    equal(dilate(tensor(mattes), side), (ndimage.grey_dilation(m, (side, side), **at_edges) for m in mattes))
    at_edges = {"mode": "constant", "cval": 1.0}
    equal(erode(tensor(mattes), side), (ndimage.grey_erosion(m, (side, side), **at_edges) for m in mattes))


def test_a_window_has_a_middle():
    with pytest.raises(ValueError, match="odd"):
        dilate(torch.zeros(1, 1, 4, 4), 2)


def test_each_mask_is_dilated_by_its_own_radius(masks):
    radii = [0, 1, 2, 3, 1, 0]
    expected = (
        ndimage.binary_dilation(m, np.ones((2 * r + 1,) * 2)) for m, r in zip(masks, radii, strict=True)
    )
    equal(dilate_each(tensor(masks), torch.tensor(radii)), expected)


def test_holes_are_filled(masks):
    equal(fill_holes(tensor(masks)), (ndimage.binary_fill_holes(m) for m in masks))
    assert fill_holes(tensor(masks)).sum() > masks.sum()


def test_a_spiral_is_followed_to_its_end():
    """The longest way that a mask of this size can have: what is inside of it is not a hole."""
    spiral = np.zeros((1, 31, 31), np.float32)
    row, column, step = 0, 0, (0, 1)
    spiral[0, 0, 0] = 1
    for length in [30, 30, 30, 28, 28, 26, 26, 24, 24, 22, 22, 20, 20, 18, 18, 16, 16]:
        for _ in range(length):
            row, column = row + step[0], column + step[1]
            spiral[0, row, column] = 1
        step = (step[1], -step[0])
    assert len(torch.unique(components(tensor(spiral)))) == 2
    equal(fill_holes(tensor(spiral)), (ndimage.binary_fill_holes(m) for m in spiral))
    equal(fill_holes(tensor(1 - spiral)), (ndimage.binary_fill_holes(1 - m) for m in spiral))


def test_hysteresis_is_what_grows_from_the_sure_pixels(mattes):
    expected = (ndimage.binary_propagation(m > 0.75, mask=m > 0.4) for m in mattes)
    equal(hysteresis(tensor(mattes), 0.4, 0.75), expected)


def test_components_are_those_of_label(masks):
    for ours, mask in zip(components(tensor(masks))[:, 0].numpy(), masks, strict=True):
        theirs, count = ndimage.label(mask)
        pairs = set(zip(ours.ravel().tolist(), theirs.ravel().tolist(), strict=True))
        assert len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs})
        assert len({a for a, _ in pairs if a}) == count


def test_the_largest_component(masks):
    def largest(mask):
        labels, count = ndimage.label(mask)
        sizes = ndimage.sum_labels(mask, labels, range(1, count + 1))
        return labels == 1 + int(np.argmax(sizes)) if count else np.zeros_like(mask)

    sizes = [sorted(np.bincount(ndimage.label(m)[0].ravel())[1:])[-2:] for m in masks[:4]]
    assert all(len(two) < 2 or two[0] < two[1] for two in sizes), "no ties in this test"
    equal(largest_component(tensor(masks)), (largest(m) for m in masks))


def test_the_box_around_a_mask(masks):
    expected = []
    for mask in masks:
        found = ndimage.find_objects(mask.astype(int))
        rows, columns = found[0] if found else (slice(0, 0), slice(0, 0))
        expected.append([columns.start, rows.start, columns.stop, rows.stop])
    assert extent(tensor(masks)).tolist() == expected


def test_a_feather_keeps_the_mask_and_ends():
    mask = torch.zeros(1, 1, 31, 31)
    mask[..., 12:18, 10:20] = 1
    soft = feathered(mask, 3)
    assert (soft[mask > 0] == 1).all()
    assert (soft[dilate(mask, 13) == 0] == 0).all()
    middle = soft[0, 0, 15, 19:27]
    assert (middle[1:] < middle[:-1]).all()
    assert torch.equal(feathered(mask, 0), mask)
