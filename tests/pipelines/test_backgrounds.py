"""Ways to a background: each against what it is to make, on footage that was put together by hand."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch

from animate.errors import UserError
from animate.networks.inpainting import BackgroundInpainter
from animate.ops.classical_fills import CLASSICAL
from animate.ops.person_masks import VARIANTS, crop_square, own
from animate.pipelines.backgrounds import PLATE, FilledOnce, Footage, FromVideo, ways
from animate.pipelines.inpaint import Holed, NetworkFiller
from animate.pipelines.plate import PlateSettings, make_plate

SIDE, T = 32, 6


@pytest.fixture(scope="module")
def networks():
    torch.manual_seed(0)
    return BackgroundInpainter("impersonator", (4, 8), 1, image_size=SIDE).eval()


@pytest.fixture(scope="module")
def footage():
    """A white box that walks over a still scene in whole bytes."""
    generator = torch.Generator().manual_seed(1)
    clean = torch.randint(40, 200, (1, 3, SIDE, SIDE), generator=generator).expand(T, -1, -1, -1) / 255
    hole = torch.zeros(T, 1, SIDE, SIDE)
    for number in range(T):
        hole[number, :, 8:24, 4 * number : 4 * number + 5] = 1
    return Footage(clean, torch.lerp(clean, torch.ones_like(clean), hole), hole, hole, 0.9 * hole)


def test_rows_and_their_order(networks):
    everything = list(ways({"a": networks, "b": networks}, CLASSICAL, video=True, mattes=True))
    fills, mattes = ["telea", "navier_stokes", "nearest_pixel"], [f"matte_{name}" for name in VARIANTS]
    assert everything == ["a", "b", *fills, PLATE, *mattes]
    assert list(ways({"a": networks}, CLASSICAL, video=False, mattes=False)) == ["a", *fills]
    with pytest.raises(UserError, match="telea: a checkpoint and another row"):
        ways({"telea": networks}, CLASSICAL, video=True, mattes=False)


def test_networks_and_fills_are_given_the_true_hole_and_nothing_of_the_person(networks, footage):
    rows = ways({"a": networks}, CLASSICAL, video=True, mattes=False)
    disturbed = footage._replace(shown=torch.rand(footage.shown.shape))
    for name in ("a", *CLASSICAL):
        made, same = rows[name](footage), rows[name](disturbed)
        assert torch.equal(made.pictures, same.pictures), name
        assert torch.equal(made.hole, footage.hole)
        assert made.person is None
        outside = (footage.hole == 0).expand_as(footage.clean)
        torch.testing.assert_close(made.pictures[outside], footage.clean[outside], rtol=0, atol=1e-6)
        assert not torch.equal(made.pictures, footage.clean), "it has to guess"
    expected = NetworkFiller(networks)(footage.clean, footage.hole)
    assert torch.equal(rows["a"](footage).pictures, expected)


def test_rules_do_not_see_what_is_in_the_hole(networks, footage):
    rows = ways({"a": networks}, CLASSICAL, video=False, mattes=False)
    spoiled = footage._replace(clean=torch.lerp(footage.clean, torch.ones_like(footage.clean), footage.hole))
    for name in CLASSICAL:
        assert torch.equal(rows[name](footage).pictures, rows[name](spoiled).pictures), name


def test_the_plate_is_what_other_frames_show(networks, footage):
    made = FromVideo(networks)(footage)
    assert torch.equal(made.hole, own(footage.matte).hole_mask)
    torch.testing.assert_close(made.pictures, footage.clean, rtol=0, atol=1e-6)
    frames = [footage.shown, footage.matte, footage.hole]
    twice = [torch.cat([one[:1], one[:1]]) for one in frames]
    never = FromVideo(networks)(Footage(footage.clean[:2], twice[0], twice[1], twice[2], None))
    outside = (own(twice[1]).hole_mask == 0).expand_as(twice[0])
    assert torch.equal(never.pictures[outside], twice[0][outside])
    assert not torch.equal(never.pictures, footage.clean[:2]), "what was never seen is the network's guess"
    assert torch.isfinite(never.pictures).all()


def test_variants_are_what_their_masks_say(networks, footage):
    rows = ways({"a": networks}, CLASSICAL, video=False, mattes=True)
    for name, variant in VARIANTS.items():
        made, masks = rows[f"matte_{name}"](footage), variant(footage.found)
        expected = NetworkFiller(networks)(footage.shown, masks.hole_mask)
        torch.testing.assert_close(made.pictures, expected, rtol=0, atol=1e-6)
        assert torch.equal(made.hole, masks.hole_mask)
        assert torch.equal(made.person, masks.person_mask)
        if name == "v3":
            assert torch.equal(made.crop, crop_square(footage.found))
        else:
            assert made.crop is None


def test_what_was_filled_once_is_not_filled_again(networks, footage, monkeypatch):
    asked = []
    real = NetworkFiller.__call__
    monkeypatch.setattr(
        NetworkFiller,
        "__call__",
        lambda self, frames, holes: asked.append(len(holes)) or real(self, frames, holes),
    )
    fill, other = FilledOnce(networks), footage.hole.clone()
    other[2] = 0
    first, second = fill(footage.shown, footage.hole), fill(footage.shown, other)
    assert asked == [T, 1]
    assert torch.equal(second[2], footage.shown[2]), "no hole, nothing to fill"
    keep = [0, 1, 3, 4, 5]
    assert torch.equal(first[keep], second[keep])
    brighter = footage.shown + 0.01
    fill(brighter, footage.hole)
    assert asked == [T, 1, T], "of other frames nothing is known"


@pytest.fixture(scope="module")
def views():
    """A camera that has moved by 6 pixels for good, after three of six frames."""
    blocks = np.random.default_rng(0).integers(30, 226, (12, 18, 3), np.uint8)
    wide = np.repeat(np.repeat(blocks, 8, 0), 8, 1)
    return [wide[:, :128]] * 3 + [wide[:, 6:134]] * 3


def test_a_plate_is_laid_under_the_frame_that_is_named(views):
    frames = [Holed(view, np.zeros((96, 128), np.float32), Fraction(0)) for view in views]
    for over in (frames[0], frames[5]):
        plate = make_plate(frames, PlateSettings(), over)
        inner = (slice(8, -8), slice(8, -8))
        error = np.abs(plate.picture[inner].astype(int) - over.image[inner])
        assert np.median(error) == 0
        assert (error > 40).mean() < 0.02


def test_the_plate_of_a_moving_camera_is_laid_under_the_middle_frame(networks, views):
    clean = torch.from_numpy(np.stack(views)).movedim(-1, 1) / 255
    hole = torch.zeros(T, 1, 96, 128)
    for number in range(T):
        hole[number, :, 30:70, 16 + 14 * number : 30 + 14 * number] = 1
    shown = torch.lerp(clean, torch.ones_like(clean), hole)
    made = FromVideo(networks)(Footage(clean, shown, hole, hole, None))
    error = (made.pictures - clean).abs().mean(1, keepdim=True)
    of_middle, of_first = (float((error[i] * hole[i]).sum() / hole[i].sum()) for i in (T // 2, 0))
    assert of_middle < 0.04
    assert of_first > 2 * of_middle, "one plate cannot lie under both"
