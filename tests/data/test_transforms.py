from collections import Counter

import numpy as np
import pytest
import torch
import torchvision.transforms.v2.functional as tv
from PIL import Image

from animate.data.transforms import ADJUST, Augmentation, Draw, adjust_, warp
from animate.errors import UserError
from animate.ops.random import numpy_generator

FLIPS = Augmentation(time_flip=0.5, horizontal_flip=0.5)
MGIF = Augmentation(time_flip=0.5, horizontal_flip=0.5, resize=(0.9, 1.1), hue=0.5)
VOX = Augmentation(time_flip=0.5, horizontal_flip=0.5, brightness=0.1, contrast=0.1, saturation=0.1, hue=0.1)


def pictures(samples=3, frames=2, size=16, seed=0):
    return torch.rand(samples, frames, 3, size, size, generator=torch.Generator().manual_seed(seed))


def draws_of(augmentation, count=2000):
    return [augmentation.draw(numpy_generator(seed)) for seed in range(count)]


def smooth(size=33):
    """A picture whose colours change slowly, so that interpolation hardly matters."""
    y, x = torch.meshgrid(torch.linspace(0, 1, size), torch.linspace(0, 1, size), indexing="ij")
    return torch.stack([x, y, (x + y) / 2])[None, None]


# -- what is drawn


def test_flips_are_independent_halves():
    """The reference's accident: a time flip returned early, so that h-flips came to a quarter."""
    counts = Counter((draw.time_flip, draw.horizontal_flip) for draw in draws_of(FLIPS))
    assert len(counts) == 4
    assert all(count / 2000 == pytest.approx(0.25, abs=0.03) for count in counts.values())


def test_nothing_is_drawn_by_default():
    assert set(draws_of(Augmentation(), 50)) == {Draw()}


def test_ranges_of_factors_are_those_of_torchvision():
    wide = Augmentation(brightness=0.3, contrast=2.0, saturation=0.1, hue=0.2)
    factors = {name: [] for name in ADJUST}
    for draw in draws_of(wide):
        for name, factor in draw.colour:
            factors[name].append(factor)
    expected = {
        "brightness": (0.7, 1.3),
        "contrast": (0.0, 3.0),
        "saturation": (0.9, 1.1),
        "hue": (-0.2, 0.2),
    }
    for name, (low, high) in expected.items():
        assert low <= min(factors[name]) <= low + 0.01 * (high - low)
        assert high - 0.01 * (high - low) <= max(factors[name]) <= high


def test_all_orders_of_adjustments_occur_equally_often():
    orders = Counter(tuple(name for name, _ in draw.colour) for draw in draws_of(VOX, 4800))
    assert len(orders) == 24
    assert min(orders.values()) > 130
    assert max(orders.values()) < 270


def test_resize_is_uniform_and_the_window_stays_inside_grown_content():
    drawn = draws_of(MGIF)
    scales = np.array([draw.scale for draw in drawn])
    assert scales.min() == pytest.approx(0.9, abs=0.005)
    assert scales.max() == pytest.approx(1.1, abs=0.005)
    for draw in drawn:
        assert max(map(abs, draw.shift)) <= max(draw.scale - 1, 0) + 1e-12
    assert all(draw.shift == (0, 0) for draw in drawn if draw.scale < 1)


def test_switching_one_augmentation_on_leaves_the_others_draws():
    both = Augmentation(time_flip=0.5, horizontal_flip=0.5, hue=0.1, rotation=10)
    for seed in range(50):
        plain, more = (a.draw(numpy_generator(seed)) for a in (FLIPS, both))
        assert plain[:2] == more[:2]


@pytest.mark.parametrize(
    "wrong",
    [
        {"time_flip": 1.5},
        {"horizontal_flip": -0.1},
        {"rotation": 200},
        {"resize": (1.1, 0.9)},
        {"resize": (0, 1)},
        {"crop": 0},
        {"crop": 1.2},
        {"hue": 0.6},
        {"contrast": -1},
        {"padding": "wrap"},
    ],
)
def test_values_out_of_range_are_named(wrong):
    with pytest.raises(UserError, match=f"data.augmentation.*{next(iter(wrong))}"):
        Augmentation(**wrong)


# -- colour


def adjusted(frames, draws):
    copy = frames.clone()
    adjust_(copy, draws)
    return copy


@pytest.mark.parametrize(
    ("name", "adjust", "factor"),
    [
        ("brightness", tv.adjust_brightness, 1.3),
        ("brightness", tv.adjust_brightness, 0.6),
        ("contrast", tv.adjust_contrast, 1.4),
        ("contrast", tv.adjust_contrast, 0.0),
        ("saturation", tv.adjust_saturation, 1.5),
        ("saturation", tv.adjust_saturation, 0.0),
        ("hue", tv.adjust_hue, 0.37),
        ("hue", tv.adjust_hue, -0.5),
    ],
)
def test_each_adjustment_is_torchvisions(name, adjust, factor):
    frames = pictures()
    ours = adjusted(frames, [Draw(colour=((name, factor),))] * 3)
    for sample in range(3):
        for frame in range(2):
            torch.testing.assert_close(
                ours[sample, frame], adjust(frames[sample, frame], factor), atol=2e-4, rtol=0
            )


def test_each_sample_has_its_own_factors_and_order():
    frames = pictures(samples=4)
    orders = [
        (("hue", 0.2), ("contrast", 1.5), ("brightness", 0.8)),
        (("brightness", 1.9), ("hue", -0.1)),
        (),
        (("contrast", 0.5), ("saturation", 1.8), ("hue", 0.4), ("brightness", 1.2)),
    ]
    ours = adjusted(frames, [Draw(colour=order) for order in orders])
    for sample, order in enumerate(orders):
        for frame in range(2):
            expected = frames[sample, frame]
            for name, factor in order:
                expected = getattr(tv, f"adjust_{name}")(expected, factor)
            torch.testing.assert_close(ours[sample, frame], expected, atol=5e-4, rtol=0)


def test_hue_against_pillow():
    """An implementation of another kind: 8-bit HSV."""
    frame = smooth()[0, 0]
    image = Image.fromarray((frame.permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)).convert("HSV")
    hsv = np.array(image)
    hsv[..., 0] += np.uint8(64)
    expected = np.array(Image.fromarray(hsv, "HSV").convert("RGB"), np.float32) / 255
    ours = adjusted(frame[None, None], [Draw(colour=(("hue", 64 / 256),))])[0, 0].permute(1, 2, 0).numpy()
    assert np.abs(ours - expected).mean() < 0.01
    assert np.abs(ours - expected).max() < 0.05


# -- geometry


def apply(augmentation, draws, **batch):
    augmentation.apply(batch, draws)
    return batch


def test_a_draw_that_changes_nothing_costs_nothing():
    frames = pictures()
    assert apply(MGIF, [Draw()] * 3, frames=frames)["frames"] is frames


def test_samples_are_touched_by_their_own_draw_only():
    frames = pictures()
    draws = [Draw(), Draw(horizontal_flip=True), Draw(scale=1.3, colour=(("brightness", 0.5),))]
    result = apply(MGIF, draws, frames=frames.clone())["frames"]
    assert torch.equal(result[0], frames[0])
    assert torch.equal(result[1], frames[1].flip(-1))
    alone = apply(MGIF, draws[2:], frames=frames[2:].clone())["frames"]
    torch.testing.assert_close(result[2:], alone)


@pytest.mark.parametrize("samples", [1, 3])
def test_the_batch_is_overwritten_however_it_lies_in_memory(samples):
    """``Tensor.flatten`` copies what is not contiguous, so that an adjustment in place could be lost."""
    draws = [Draw(horizontal_flip=True, scale=1.1, colour=(("hue", 0.3), ("contrast", 0.8)))] * samples
    plain = pictures(samples)
    strided = plain.movedim(-3, -1).contiguous().movedim(-1, -3)
    assert apply(VOX, draws, frames=plain)["frames"] is plain
    assert not strided.is_contiguous()
    assert apply(VOX, draws, frames=strided)["frames"] is strided
    torch.testing.assert_close(strided, plain)
    assert not torch.equal(plain, pictures(samples))


def test_both_frames_of_a_pair_get_the_same_draw():
    frames = pictures(samples=6)[:, :1].repeat(1, 2, 1, 1, 1)
    everything = Augmentation(horizontal_flip=0.5, rotation=20, resize=(0.8, 1.2), contrast=0.5, hue=0.5)
    result = apply(everything, draws_of(everything, 6), frames=frames.clone())["frames"]
    assert torch.equal(result[:, 0], result[:, 1])
    assert not torch.equal(result, frames)


def test_rotation_is_torchvisions():
    frame = smooth()
    ours = warp(frame, [Draw(angle=30.0)], "zeros")[0, 0]
    expected = tv.rotate(frame[0, 0], 30.0, interpolation=tv.InterpolationMode.BILINEAR)
    inside = expected.sum(0) > 0.3
    assert (ours - expected).abs()[:, inside].mean() < 0.01
    torch.testing.assert_close(ours[:, 16, 16], expected[:, 16, 16], atol=1e-5, rtol=0)


def test_shrinking_centres_the_content_and_repeats_the_edge():
    """As the reference does: resized by .5, padded to the old size with mode edge."""
    frame = smooth(65)
    ours = warp(frame, [Draw(scale=0.5)], "border")[0, 0]
    torch.testing.assert_close(ours[:, 16:49, 16:49], frame[0, 0][:, ::2, ::2], atol=1e-5, rtol=0)
    torch.testing.assert_close(ours[:, :, :16], ours[:, :, 16:17].expand(-1, -1, 16), atol=1e-5, rtol=0)


def test_growing_shows_a_window_that_the_shift_moves():
    frame = smooth(65)
    left_top, right_bottom = (
        warp(frame, [Draw(scale=2.0, shift=(at, at))], "zeros")[0, 0] for at in (-1.0, 1.0)
    )
    torch.testing.assert_close(left_top[:, ::2, ::2], frame[0, 0][:, :33, :33], atol=1e-5, rtol=0)
    torch.testing.assert_close(right_bottom[:, ::2, ::2], frame[0, 0][:, 32:, 32:], atol=1e-5, rtol=0)


def test_crop_takes_a_window_of_that_share():
    augmentation = Augmentation(crop=0.5)
    draw = augmentation.draw(numpy_generator(0))
    assert draw.scale == 2
    seen = warp(smooth(65), [draw], "zeros")[0, 0, 0]
    assert seen.max() - seen.min() == pytest.approx(0.5, abs=1e-4)


def test_a_mirror_within_a_warp_is_the_mirror():
    frames = pictures()
    plain = warp(frames, [Draw(scale=1.2)] * 3, "border")
    mirrored = warp(frames, [Draw(scale=1.2, horizontal_flip=True)] * 3, "border")
    torch.testing.assert_close(mirrored, plain.flip(-1), atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    "draw",
    [
        Draw(horizontal_flip=True),
        Draw(angle=25.0, scale=0.9),
        Draw(scale=1.2, shift=(0.15, -0.1)),
        Draw(horizontal_flip=True, angle=-40.0, scale=0.8),
    ],
)
@pytest.mark.parametrize("size", [(65, 65), (48, 97)])
def test_points_and_masks_move_with_the_picture(draw, size):
    """A blob is drawn around a point; after the augmentation the blob's centre is where the point went."""
    height, width = size
    point = torch.tensor([0.3, -0.2])
    y, x = torch.meshgrid(torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing="ij")
    blob = torch.exp(-(((x - point[0]) * width) ** 2 + ((y - point[1]) * height) ** 2) / 50)
    batch = {
        "frames": blob.expand(1, 1, 3, height, width).clone(),
        "person_mask": blob.view(1, 1, 1, height, width).clone(),
        "points": point.view(1, 1, 1, 2).clone(),
        "visible": torch.ones(1, 1, 1, dtype=torch.bool),
    }
    Augmentation(padding="zeros").apply(batch, [draw])
    for key in ("frames", "person_mask"):
        weight = batch[key][0, 0, 0]
        centre = torch.stack([(weight * x).sum(), (weight * y).sum()]) / weight.sum()
        torch.testing.assert_close(centre, batch["points"][0, 0, 0], atol=0.01, rtol=0)
    assert not torch.equal(batch["points"][0, 0, 0], point)
    assert batch["visible"].all()


def test_points_that_leave_the_picture_are_not_visible():
    batch = {
        "frames": pictures(1, 1),
        "points": torch.tensor([[[[0.9, 0.0], [0.1, 0.0]]]]),
        "visible": torch.ones(1, 1, 2, dtype=torch.bool),
    }
    Augmentation().apply(batch, [Draw(scale=1.5)])
    assert batch["visible"].tolist() == [[[False, True]]]
    assert batch["points"][0, 0, 0, 0] == pytest.approx(1.35)


def test_background_is_adjusted_and_warped_like_the_frames():
    frames = pictures()
    draw = Draw(horizontal_flip=True, colour=(("hue", 0.3),))
    batch = apply(MGIF, [draw] * 3, frames=frames, background=frames.clone())
    torch.testing.assert_close(batch["background"], batch["frames"])
