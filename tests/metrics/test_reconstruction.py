"""The metrics against independent implementations, and on two processes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from animate.errors import UserError
from animate.metrics import L1, PSNR, SSIM, l1, psnr, ssim


def pictures(n: int = 5, size: tuple[int, int] = (24, 31)) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    target = torch.rand(n, 3, *size, generator=generator)
    noise = torch.rand(n, 3, *size, generator=generator) * torch.linspace(0.1, 0.9, n).view(-1, 1, 1, 1)
    return (0.6 * target + 0.4 * noise).clamp(0, 1), target


def channels_last(frame: torch.Tensor) -> np.ndarray:
    return frame.permute(1, 2, 0).double().numpy()


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
    expected = [
        structural_similarity(
            channels_last(t),
            channels_last(p),
            data_range=1,
            channel_axis=2,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
        for p, t in zip(prediction, target, strict=True)
    ]
    np.testing.assert_allclose(ssim(prediction, target).numpy(), expected, atol=2e-6)


def test_equal_pictures_have_the_best_scores() -> None:
    target = pictures()[1]
    assert l1(target, target).tolist() == [0.0] * 5
    assert psnr(target, target).tolist() == [100.0] * 5
    torch.testing.assert_close(ssim(target, target), torch.ones(5, dtype=torch.float64))


def test_ssim_refuses_pictures_smaller_than_its_window() -> None:
    with pytest.raises(UserError, match="at least 11 px a side, not 31x8"):
        ssim(*pictures(size=(8, 31)))


@pytest.mark.parametrize("metric", [L1, PSNR, SSIM])
def test_the_mean_does_not_depend_on_how_frames_are_batched(metric) -> None:
    prediction, target = pictures()
    whole, parts = metric(), metric()
    whole.update(prediction, target)
    for part in (slice(0, 1), slice(1, 5)):
        parts.update(prediction[part], target[part])
    torch.testing.assert_close(whole.compute(), parts.compute(), rtol=1e-12, atol=0)
    assert whole.compute().dtype == torch.float64


def test_small_differences_add_up_over_many_frames() -> None:
    # A float32 sum of this many values near 1 would stop growing by 1e-4 steps long before the end.
    metric, target = L1(), torch.zeros(1000, 1, 1, 1)
    for step in range(300):
        metric.update(target + (1 if step % 2 else 1e-4), target)
    assert float(metric.compute()) == pytest.approx((1 + np.float32(1e-4)) / 2, rel=1e-12)


def _on_one_of_two(rank: int, path: str) -> None:
    dist.init_process_group("gloo", init_method=f"file://{path}", rank=rank, world_size=2)
    prediction, target = pictures()
    share = slice(0, 4) if rank == 0 else slice(4, 5)  # unequal, as unpadded shards are
    values = []
    for metric in (L1(), PSNR(), SSIM()):
        metric.update(prediction[share], target[share])
        values.append(metric.compute())
    for value, whole in zip(values, (l1, psnr, ssim), strict=True):
        torch.testing.assert_close(value, whole(prediction, target).mean(), rtol=1e-12, atol=0)
    dist.destroy_process_group()


def test_two_processes_with_unequal_shares_agree_on_the_mean_over_all(tmp_path) -> None:
    mp.spawn(_on_one_of_two, (str(tmp_path / "store"),), nprocs=2)
