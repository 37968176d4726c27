"""Scores of backgrounds: closed forms of errors of a known size, and rectangles that are counted by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import ndimage

from animate.metrics import backgrounds as metrics

SIZE = (48, 64)
T = 3


def rectangle(top, bottom, left, right, count=T):
    mask = torch.zeros(count, 1, *SIZE)
    mask[:, :, top:bottom, left:right] = 1
    return mask


@pytest.fixture
def clean():
    """Moves, and leaves room for an error of 0.1 above."""
    return 0.8 * torch.rand(T, 3, *SIZE, generator=torch.Generator().manual_seed(0))


HOLE = rectangle(10, 30, 20, 40)


def test_the_truth_scores_best(clean):
    found = metrics.scores(clean, clean, HOLE) | metrics.stand_in(clean, clean, HOLE, HOLE)
    assert found == {
        "psnr_hole": 100.0,
        "l1_hole": 0,
        "ssim_hole": pytest.approx(1),
        "one_minus_ms_ssim": pytest.approx(0, abs=1e-7),
        "l1_edge": 0,
        "flicker": 0,
        "seam": 0,
        "stand_in_flicker": 0,
    }


def test_an_error_of_known_size_in_the_middle_frame_alone(clean):
    """It comes and goes: every change from frame to frame is wrong by it."""
    made = clean.clone()
    made[1] += 0.1 * HOLE[1]
    found = metrics.scores(made, clean, HOLE)
    assert found["psnr_hole"] == pytest.approx(20, abs=1e-4)
    assert found["l1_hole"] == pytest.approx(0.1, abs=1e-6)
    assert found["flicker"] == pytest.approx(0.1, abs=1e-6)
    # Three of the six pixels of the band along each side lie inside of the 20 x 20.
    band, inside = 26**2 - 14**2, 20**2 - 14**2
    assert found["l1_edge"] == pytest.approx(0.1 * inside / band, abs=1e-6)
    steady = clean + 0.1 * HOLE
    assert metrics.scores(steady, clean, HOLE)["flicker"] == pytest.approx(0, abs=1e-7)
    other = clean.clone()
    other[0] += 0.1 * HOLE[0]
    assert metrics.scores(other, clean, HOLE)["psnr_hole"] == 100
    assert metrics.flicker(other, clean, HOLE) == pytest.approx(0.05, abs=1e-6), "one change of two"


def test_flicker_is_counted_where_the_hole_is_or_was():
    clean, made = torch.zeros(2, 3, *SIZE), torch.zeros(2, 3, *SIZE)
    where = torch.cat([rectangle(0, 10, 0, 10, 1), rectangle(0, 10, 5, 15, 1)])
    made[1, :, 0:10, 10:15] = 0.3
    assert metrics.flicker(made, clean, where) == pytest.approx(0.3 * 50 / 150, abs=1e-6)


def test_the_edge_is_scipys_gradient(clean):
    mask = (clean[:1, :1] > 0.7).float()
    window = np.ones((7, 7))
    expected = ndimage.binary_dilation(mask[0, 0].numpy(), window) ^ ndimage.binary_erosion(
        mask[0, 0].numpy(), window, border_value=1
    )
    np.testing.assert_array_equal(metrics.edge(mask)[0, 0].numpy(), expected)


def test_masks_of_rectangles_are_counted():
    matte = rectangle(10, 30, 10, 30) * torch.tensor([0.0, 1.0, 0.0]).view(3, 1, 1, 1)  # 400 pixels
    hole = rectangle(10, 30, 15, 35)
    found = metrics.mask_scores(hole, None, matte)
    assert found == {"person_left": pytest.approx(100 / 400)}
    person = 0.75 * rectangle(10, 30, 15, 35)
    found = metrics.mask_scores(hole, person, matte)
    assert found["matte_iou"] == pytest.approx(300 / 500)
    band = metrics.edge(matte)[1, 0].numpy() > 0
    error = np.abs(person[1, 0].numpy() - matte[1, 0].numpy())
    assert found["matte_edge"] == pytest.approx(error[band].mean(), abs=1e-6)
    same = metrics.mask_scores(matte, matte, matte)
    assert same == {"person_left": 0, "matte_iou": 1, "matte_edge": 0}


def test_a_seam_is_as_high_as_its_step():
    """Right of column 32 everything is too bright by 0.2: a step where the hole, which is there, begins."""
    clean = torch.full((1, 3, *SIZE), 0.5)
    hole = rectangle(0, 48, 32, 64, 1)
    made = clean + 0.2 * hole
    nobody = torch.zeros(1, 1, *SIZE)
    # The band has six columns, and one of them a step; half of all differences are across.
    assert metrics.stand_in(made, clean, nobody, hole)["seam"] == pytest.approx(0.2 / 6 / 2, abs=1e-6)
    person = rectangle(0, 24, 20, 40, 1)  # mirrored: the columns 24 to 43 of the upper half
    found = metrics.stand_in(made, clean, person, hole)["seam"]
    assert found == pytest.approx(0.2 / 6 / 2, abs=1e-3), "the lower half is as before"
    assert math.isnan(metrics.stand_in(made, clean, torch.ones_like(person), hole)["seam"])


def test_the_stand_in_is_the_mirrored_person_over_both_backgrounds(clean):
    """Composites written out: what the person looks like is of no account."""
    generator = torch.Generator().manual_seed(1)
    made = torch.rand(clean.shape, generator=generator)
    matte = 0.6 * rectangle(12, 40, 30, 50) + 0.4 * rectangle(14, 38, 32, 48)
    found = metrics.stand_in(made, clean, matte, HOLE)
    for _ in range(2):
        colours = torch.rand(clean.shape, generator=generator) * matte
        mirrored, over = matte.numpy()[..., ::-1], colours.numpy()[..., ::-1]
        shown, true = (over + (1 - mirrored) * one.numpy() for one in (made, clean))
        counted = HOLE.numpy() * (mirrored == 0)
        counted = np.maximum(counted[1:], counted[:-1])
        changes = np.abs(np.diff(shown, axis=0) - np.diff(true, axis=0)).mean(1, keepdims=True)
        assert found["stand_in_flicker"] == pytest.approx((changes * counted).sum() / counted.sum(), abs=1e-6)


def test_a_crop_is_scored_by_its_pixels():
    matte = rectangle(10, 30, 10, 20)
    crops = torch.tensor([[0, 0, 1], [-4, 20, 20], [0, 0, 1]])  # columns 0 to 15, rows 20 to 39
    assert metrics.crop_scores(crops, matte) == {
        "crop_kept": pytest.approx(10 * 6 / 200),
        "crop_share": pytest.approx(16 * 20 / (48 * 64)),
    }
    whole = torch.tensor([[-100, -100, 300]] * 3)
    assert metrics.crop_scores(whole, matte) == {"crop_kept": 1, "crop_share": 1}
    none = torch.tensor([[0, 0, 0]] * 3)
    assert metrics.crop_scores(none, matte) == {"crop_kept": 0, "crop_share": 0}
    outside = torch.tensor([[-50, -50, 20]] * 3)
    assert metrics.crop_scores(outside, matte) == {"crop_kept": 0, "crop_share": 0}


def test_where_nobody_is_nothing_is_defined(clean):
    nobody, crop = torch.zeros(T, 1, *SIZE), torch.tensor([[0, 0, 10]] * T)
    found = metrics.scores(clean, clean, nobody) | metrics.stand_in(clean, clean, nobody, nobody)
    found |= metrics.mask_scores(nobody, nobody, nobody) | metrics.crop_scores(crop, nobody)
    defined = {name for name, value in found.items() if not math.isnan(value)}
    assert defined == {"one_minus_ms_ssim", "crop_share"}
    alone = metrics.scores(clean[:1], clean[:1], HOLE[:1])
    assert {name for name, value in alone.items() if math.isnan(value)} == {"flicker"}


@pytest.mark.parametrize("side", [16, 45, 89])
def test_small_pictures_have_fewer_scales(side):
    made, clean = torch.rand(1, 3, side, side), torch.rand(1, 3, side, side)
    found = metrics.scores(made, clean, torch.ones(1, 1, side, side))["one_minus_ms_ssim"]
    assert 0 < found <= 1
