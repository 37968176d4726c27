"""The pixel metrics against independent implementations and closed forms, and on two processes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import correlate
from scipy.signal import convolve2d
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from animate.errors import UserError
from animate.metrics import L1, MSSSIM, PSNR, SSIM, OneMinusMSSSIM
from animate.metrics.functional.pixels import l1, ms_ssim, psnr, smallest_side, ssim

WEIGHTS = np.array([0.0448, 0.2856, 0.3001, 0.2363, 0.1333])


def pictures(n: int = 5, size: tuple[int, int] = (24, 31)) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    target = torch.rand(n, 3, *size, generator=generator)
    noise = torch.rand(n, 3, *size, generator=generator) * torch.linspace(0.1, 0.9, n).view(-1, 1, 1, 1)
    return (0.6 * target + 0.4 * noise).clamp(0, 1), target


def evaluated(prediction: torch.Tensor, target: torch.Tensor, **more) -> dict:
    n = len(target)
    frames = {"prediction": prediction, "target": target, "source": target}
    return frames | {"clip": ["a"] * n, "frame": list(range(n))} | more


def channels_last(frame: torch.Tensor) -> np.ndarray:
    return frame.permute(1, 2, 0).double().numpy()


def skimage_ssim(prediction: torch.Tensor, target: torch.Tensor, **options):
    return structural_similarity(
        channels_last(target),
        channels_last(prediction),
        data_range=1,
        channel_axis=2,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        **options,
    )


def test_l1_is_the_mean_absolute_difference() -> None:
    prediction, target = pictures()
    expected = [
        np.abs(channels_last(p) - channels_last(t)).mean() for p, t in zip(prediction, target, strict=True)
    ]
    np.testing.assert_allclose(l1(prediction, target).numpy(), expected, rtol=1e-12)


def test_psnr_agrees_with_skimage() -> None:
    prediction, target = pictures()
    expected = [
        peak_signal_noise_ratio(channels_last(t), channels_last(p), data_range=1)
        for p, t in zip(prediction, target, strict=True)
    ]
    np.testing.assert_allclose(psnr(prediction, target).numpy(), expected, rtol=1e-10)


def test_ssim_agrees_with_skimage() -> None:
    prediction, target = pictures()
    expected = [skimage_ssim(p, t) for p, t in zip(prediction, target, strict=True)]
    np.testing.assert_allclose(ssim(prediction, target).numpy(), expected, atol=2e-6)


def wang_2003(x: np.ndarray, y: np.ndarray, scales: int) -> float:
    """MS-SSIM of two grey pictures, written from the paper and its filters, in NumPy and SciPy."""
    offsets = np.arange(-5, 6)
    window = np.exp(-(offsets[:, None] ** 2 + offsets**2) / (2 * 1.5**2))
    window /= window.sum()

    def mean(picture):
        return convolve2d(picture, window, mode="valid")

    product, weights = 1.0, WEIGHTS[:scales] / WEIGHTS[:scales].sum()
    for scale, weight in enumerate(weights):
        mx, my = mean(x), mean(y)
        vx, vy, c = mean(x * x) - mx**2, mean(y * y) - my**2, mean(x * y) - mx * my
        term = (2 * c + 0.03**2) / (vx + vy + 0.03**2)
        if scale == scales - 1:
            term = term * (2 * mx * my + 0.01**2) / (mx**2 + my**2 + 0.01**2)
        product *= max(term.mean(), 0) ** weight
        # the 2 x 2 mean with mirrored edges, then every second pixel, as Wang's code has it
        x, y = (
            correlate(p, np.full((2, 2), 0.25), mode="reflect", origin=(-1, -1))[::2, ::2] for p in (x, y)
        )
    return product


@pytest.mark.parametrize(("size", "scales"), [((161, 176), 5), ((83, 41), 3), ((11, 12), 1)])
def test_ms_ssim_is_that_of_the_paper(size, scales) -> None:
    prediction, target = pictures(2, size)
    expected = [
        np.mean(
            [wang_2003(a.double().numpy(), b.double().numpy(), scales) for a, b in zip(p, t, strict=True)]
        )
        for p, t in zip(prediction, target, strict=True)
    ]
    np.testing.assert_allclose(ms_ssim(prediction, target, scales=scales).numpy(), expected, atol=5e-6)


def test_ms_ssim_of_one_scale_is_ssim() -> None:
    torch.testing.assert_close(ms_ssim(*pictures(), scales=1), ssim(*pictures()))


def test_a_negative_contrast_term_makes_ms_ssim_zero() -> None:
    target = torch.rand(1, 3, 24, 24, generator=torch.Generator().manual_seed(0))
    assert ms_ssim(1 - target, target, scales=2).tolist() == [0.0]


@pytest.mark.parametrize("level", [0.0, 0.25, 1.0])
def test_constant_pictures_have_the_closed_form(level) -> None:
    target, prediction = torch.full((1, 3, 24, 24), 0.5), torch.full((1, 3, 24, 24), level)
    difference = abs(level - 0.5)
    luminance = (2 * level * 0.5 + 1e-4) / (level**2 + 0.25 + 1e-4)
    assert l1(prediction, target).item() == pytest.approx(difference)
    assert psnr(prediction, target).item() == pytest.approx(-20 * np.log10(difference))
    assert ssim(prediction, target).item() == pytest.approx(luminance, abs=1e-5)
    weight = WEIGHTS[1] / WEIGHTS[:2].sum()
    assert ms_ssim(prediction, target, scales=2).item() == pytest.approx(luminance**weight, abs=1e-5)


def test_equal_pictures_have_the_best_scores() -> None:
    target = pictures(size=(24, 31))[1]
    assert l1(target, target).tolist() == [0.0] * 5
    assert psnr(target, target).tolist() == [100.0] * 5
    torch.testing.assert_close(ssim(target, target), torch.ones(5, dtype=torch.float64))
    torch.testing.assert_close(ms_ssim(target, target, scales=2), torch.ones(5, dtype=torch.float64))


@pytest.mark.parametrize("score", [l1, psnr, ssim, lambda *pair: ms_ssim(*pair, scales=2)])
def test_nan_in_a_picture_is_seen_in_its_value_only(score) -> None:
    prediction, target = pictures(2)
    prediction[0, 1, 12, 12] = torch.nan
    assert score(prediction, target).isnan().tolist() == [True, False]


def test_ssim_refuses_pictures_smaller_than_its_window() -> None:
    with pytest.raises(UserError, match="at least 11 px a side, not 31x8"):
        ssim(*pictures(size=(8, 31)))


def test_ms_ssim_says_how_many_scales_a_picture_has_room_for() -> None:
    assert [smallest_side(scales) for scales in range(1, 6)] == [11, 21, 41, 81, 161]
    with pytest.raises(UserError, match=r"at least 161 px a side, not 160x161; ask for ms_ssim_4"):
        ms_ssim(*pictures(1, size=(161, 160)))
    with pytest.raises(UserError, match="at least 21 px a side, not 10x30; drop it"):
        ms_ssim(*pictures(1, size=(30, 10)), scales=2)
    with pytest.raises(UserError, match="there are 1 to 5"):
        MSSSIM(scales=6)


def random_mask(size: tuple[int, int], n: int = 5) -> torch.Tensor:
    return torch.rand(n, 1, *size, generator=torch.Generator().manual_seed(1))


def test_masked_l1_and_psnr_are_weighted_means() -> None:
    prediction, target = pictures()
    mask = random_mask((24, 31))
    for p, t, m, found_l1, found_psnr in zip(
        prediction, target, mask, l1(prediction, target, mask), psnr(prediction, target, mask), strict=True
    ):
        difference, weight = channels_last(p) - channels_last(t), np.repeat(channels_last(m), 3, axis=2)
        assert found_l1.item() == pytest.approx(np.average(abs(difference), weights=weight))
        assert found_psnr.item() == pytest.approx(-10 * np.log10(np.average(difference**2, weights=weight)))


def test_masked_ssim_is_the_mean_of_skimages_map_over_the_mask() -> None:
    prediction, target = pictures()
    mask = random_mask((24, 31))
    expected = [
        np.average(
            skimage_ssim(p, t, full=True)[1][5:-5, 5:-5],
            weights=np.repeat(channels_last(m)[5:-5, 5:-5], 3, axis=2),
        )
        for p, t, m in zip(prediction, target, mask, strict=True)
    ]
    np.testing.assert_allclose(ssim(prediction, target, mask).numpy(), expected, atol=2e-6)


def test_a_mask_keeps_what_lies_outside_of_it_away() -> None:
    _, target = pictures(1, (64, 64))
    prediction = target.clone()
    prediction[..., :16] = 0
    mask = torch.zeros(1, 1, 64, 64)
    mask[..., 40:] = 1
    for score in (l1, psnr, ssim, lambda *all_: ms_ssim(*all_, scales=2)):
        assert score(prediction, target, mask).item() == pytest.approx(score(target, target).item(), abs=1e-6)
        assert score(prediction, target, 1 - mask).item() != pytest.approx(
            score(target, target).item(), abs=1e-3
        )
    whole = torch.ones(1, 1, 64, 64)
    torch.testing.assert_close(
        ms_ssim(prediction, target, whole, scales=3), ms_ssim(prediction, target, scales=3)
    )


@pytest.mark.parametrize(
    ("metric", "name"),
    [
        (L1(), "l1"),
        (L1("person"), "l1_inside_person"),
        (PSNR("face", inside=False), "psnr_outside_face"),
        (SSIM("hole"), "ssim_inside_hole"),
        (MSSSIM(), "ms_ssim"),
        (MSSSIM(scales=3), "ms_ssim_3"),
        (OneMinusMSSSIM("person", scales=2), "one_minus_ms_ssim_2_inside_person"),
    ],
)
def test_numbers_of_different_definitions_have_different_columns(metric, name) -> None:
    definition = metric.definition
    assert definition.name == name
    assert metric.region is None or metric.region in definition.text
    assert metric.needs == (frozenset() if metric.region is None else {f"mask:{metric.region}"})


def test_a_region_is_the_targets_mask_and_empty_ones_are_missing() -> None:
    prediction, target = pictures(2)
    mask = torch.zeros(2, 1, 24, 31)
    mask[0, :, :12] = 1
    inside, outside = L1("person"), L1("person", inside=False)
    for metric in (inside, outside):
        metric.update(evaluated(prediction, target, masks={"person": mask}))
    assert inside.compute().item() == pytest.approx(l1(prediction[:1, :, :12], target[:1, :, :12]).item())
    below = l1(prediction[:1, :, 12:], target[:1, :, 12:])
    assert outside.compute().item() == pytest.approx((below + l1(prediction, target)[1]).item() / 2)
    assert (inside.count, inside.missing, outside.missing) == (1, 1, 0)
    with pytest.raises(UserError, match="no mask of the target's face"):
        L1("face").update(evaluated(prediction, target))


def test_one_minus_ms_ssim_is_that() -> None:
    prediction, target = pictures()
    metric = OneMinusMSSSIM(scales=2)
    metric.update(evaluated(prediction, target))
    assert metric.compute().item() == pytest.approx(1 - ms_ssim(prediction, target, scales=2).mean().item())
    assert not metric.definition.higher_is_better


@pytest.mark.parametrize("metric", [L1, PSNR, SSIM])
def test_the_mean_does_not_depend_on_how_frames_are_batched(metric) -> None:
    prediction, target = pictures()
    whole, parts = metric(), metric()
    whole.update(evaluated(prediction, target))
    for part in (slice(0, 1), slice(1, 5), slice(5, 5)):
        parts.update(evaluated(prediction[part], target[part]))
    torch.testing.assert_close(whole.compute(), parts.compute(), rtol=1e-12, atol=0)
    assert whole.compute().dtype == torch.float64


@pytest.mark.filterwarnings("ignore:The ``compute`` method")
@pytest.mark.parametrize("metric", [L1, PSNR, SSIM, MSSSIM])
def test_nothing_at_all_is_not_a_number(metric) -> None:
    assert metric().compute().isnan()


def test_a_broken_prediction_is_not_left_out_of_the_mean() -> None:
    prediction, target = pictures()
    prediction[1, 0, 0, 0] = torch.nan
    for metric in (L1(), SSIM("person")):
        masks = {"person": torch.zeros(5, 1, 24, 31)}
        metric.update(evaluated(prediction, target, masks=masks))
        metric.update(evaluated(target, target, masks=masks))
        assert metric.compute().isnan()


def test_small_differences_add_up_over_many_frames() -> None:
    # A float32 sum of this many values near 1 would stop growing by 1e-4 steps long before the end.
    metric, target = L1(), torch.zeros(1000, 1, 1, 1)
    for step in range(300):
        metric.update(evaluated(target + (1 if step % 2 else 1e-4), target))
    assert float(metric.compute()) == pytest.approx((1 + np.float32(1e-4)) / 2, rel=1e-12)


def on_one_of_two(rank: int) -> None:
    prediction, target = pictures()
    share = slice(0, 4) if rank == 0 else slice(4, 5)  # unequal, as unpadded shards are
    for metric, whole in ((L1(), l1), (PSNR(), psnr), (SSIM(), ssim)):
        metric.update(evaluated(prediction[share], target[share]))
        torch.testing.assert_close(metric.compute(), whole(prediction, target).mean(), rtol=1e-12, atol=0)


def test_two_processes_with_unequal_shares_agree_on_the_mean_over_all(on_two_processes) -> None:
    on_two_processes(on_one_of_two)
