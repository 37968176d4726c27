"""Perceptual metrics over toy networks: closed forms, SciPy, torch-fidelity's functions, two processes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm
from torch import nn
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
from torch_fidelity.metric_kid import kid_features_to_metric

from animate.metrics.functional.perception import frechet_distance, kernel_distance, squared_mmd
from animate.metrics.perception import FID, KID, LPIPS

SIZE = 12


class Toy(nn.Module):
    """Twelve features: the means of quarters of each channel. A module, as a careless caller may hand in."""

    backend = "toy 1"
    size = SIZE

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return self.weight * nn.functional.adaptive_avg_pool2d(pictures, 2).flatten(1)


class Difference(nn.Module):
    backend = "difference 1"

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, prediction: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return (self.weight * (prediction - target)).abs().mean((1, 2, 3))


def frames(n: int = 40, seed: int = 0) -> dict:
    generator = torch.Generator().manual_seed(seed)
    target = torch.rand(n, 3, 4, 4, generator=generator)
    prediction = (0.7 * target + 0.1 * torch.rand(n, 3, 4, 4, generator=generator)).clamp(0, 1)
    clips = [f"clip{i // 10}" for i in range(n)]
    return {
        "prediction": prediction,
        "target": target,
        "source": target,
        "clip": clips,
        "frame": [i % 10 for i in range(n)],
    }


def part(whole: dict, chosen: list[int]) -> dict:
    return {
        key: value[chosen] if isinstance(value, torch.Tensor) else [value[i] for i in chosen]
        for key, value in whole.items()
    }


def features(whole: dict, side: str) -> torch.Tensor:
    return Toy()(whole[side]).detach()


def gaussian(seed: int, n: int, d: int = 6) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) + rng.normal(size=d)


def moments(x: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.from_numpy(x.mean(0)), torch.from_numpy(np.cov(x, rowvar=False))


def test_lpips_is_the_mean_of_what_its_network_says() -> None:
    whole, metric = frames(), LPIPS("lpips_alex", Difference())
    for chosen in ([0, 1, 2], list(range(3, 40))):
        metric.update(part(whole, chosen))
    expected = (whole["prediction"] - whole["target"]).abs().double().mean()
    assert float(metric.compute()) == pytest.approx(float(expected), rel=1e-6)
    assert metric.compute().dtype == torch.float64
    assert (metric.definition.name, metric.definition.backend) == ("lpips_alex", "difference 1")


@pytest.mark.parametrize("metric", [LPIPS("lpips_vgg", Difference()), FID(Toy()), KID(Toy())])
def test_networks_stay_out_of_state_dicts_and_parameters(metric) -> None:
    metric.persistent(True)
    assert not any("weight" in key or "network" in key for key in metric.state_dict())
    assert not list(metric.parameters())
    assert not list(metric.children())


def test_frechet_distance_of_gaussians_in_closed_form() -> None:
    # Diagonal covariances commute: sum over axes of (difference of means)^2 + (difference of deviations)^2.
    means = torch.tensor([[0.0, 1.0, 2.0], [0.5, -1.0, 2.0]]).double()
    deviations = torch.tensor([[1.0, 2.0, 0.0], [3.0, 0.5, 1.5]]).double()
    found = frechet_distance(
        means[0], torch.diag(deviations[0] ** 2), means[1], torch.diag(deviations[1] ** 2)
    )
    expected = ((means[0] - means[1]) ** 2 + (deviations[0] - deviations[1]) ** 2).sum()
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


def test_frechet_distance_agrees_with_scipys_root_and_torch_fidelity() -> None:
    x, y = gaussian(0, 50), gaussian(1, 70)
    found = float(frechet_distance(*moments(x), *moments(y)))
    (m, c), (k, d) = ((x.mean(0), np.cov(x.T)), (y.mean(0), np.cov(y.T)))
    assert found == pytest.approx(((m - k) ** 2).sum() + np.trace(c + d - 2 * sqrtm(c @ d).real), rel=1e-9)
    theirs = fid_statistics_to_metric(
        fid_features_to_statistics(torch.from_numpy(x)),
        fid_features_to_statistics(torch.from_numpy(y)),
        verbose=False,
    )
    assert found == pytest.approx(theirs["frechet_inception_distance"], rel=1e-9)


@pytest.mark.parametrize("n", [3, 40])  # fewer and more frames than features
def test_fid_streams_to_the_value_over_all_features(n) -> None:
    whole, metric = frames(n), FID(Toy())
    for chosen in ([0], list(range(1, n))):
        metric.update(part(whole, chosen))
    expected = frechet_distance(
        *moments(features(whole, "prediction").double().numpy()),
        *moments(features(whole, "target").double().numpy()),
    )
    assert float(metric.compute()) == pytest.approx(float(expected), rel=1e-8)
    assert float(expected) > 0.1


@pytest.mark.parametrize("n", [5, 40])
def test_fid_of_equal_sets_is_zero_also_in_another_order(n) -> None:
    whole, metric = frames(n), FID(Toy())
    metric.update({**whole, "prediction": whole["target"].flip(0)})
    assert 0 <= float(metric.compute()) < 1e-10


def test_squared_mmd_is_the_unbiased_formula() -> None:
    x, y = gaussian(2, 7), gaussian(3, 9)

    def mean(a: np.ndarray, b: np.ndarray, same: bool) -> float:
        values = [
            (p @ q / x.shape[1] + 1) ** 3
            for i, p in enumerate(a)
            for j, q in enumerate(b)
            if not (same and i == j)
        ]
        return sum(values) / len(values)

    expected = mean(x, x, True) + mean(y, y, True) - 2 * mean(x, y, False)
    found = float(squared_mmd(torch.from_numpy(x), torch.from_numpy(y)))
    assert found == pytest.approx(expected, rel=1e-10)


def test_kid_of_whole_sets_agrees_with_torch_fidelity() -> None:
    # A subset as large as the sets is the sets, so that no draw matters.
    whole, metric = frames(40), KID(Toy(), subset_size=40, subsets=2)
    metric.update(whole)
    theirs = kid_features_to_metric(
        features(whole, "prediction").double(),
        features(whole, "target").double(),
        kid_subsets=1,
        kid_subset_size=40,
        verbose=False,
    )
    assert float(metric.compute()) == pytest.approx(theirs["kernel_inception_distance_mean"], rel=1e-6)
    assert float(metric.compute()) > 0.01


def test_kid_of_subsets_is_near_the_value_of_the_sets_and_repeats_itself() -> None:
    x, y = (torch.from_numpy(gaussian(seed, 300)) for seed in (4, 5))
    whole = float(squared_mmd(x, y))
    drawn = [float(kernel_distance(x, y, 1000, 50, seed)) for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert drawn == pytest.approx([whole] * 3, rel=0.1)


def test_kids_reservoir_does_not_depend_on_order_or_batches() -> None:
    whole = frames(40)
    shuffled = np.random.default_rng(0).permutation(40).tolist()
    values, kept = [], []
    for batches in ([list(range(40))], [shuffled[:7], shuffled[7:8], shuffled[8:]]):
        metric = KID(Toy(), reservoir=16, subsets=5, subset_size=8)
        for chosen in batches:
            metric.update(part(whole, chosen))
        values.append(float(metric.compute()))
        kept.append({tuple(row.tolist()) for row in metric.target_features})
        assert metric.target_features.shape == (16, SIZE)
    assert values[0] == pytest.approx(values[1], rel=1e-9)
    assert kept[0] == kept[1]
    assert len(kept[0]) == 16, "sixteen different frames"
    assert kept[0] <= {tuple(row.tolist()) for row in features(whole, "target")}


def test_kids_reservoir_is_a_fair_sample() -> None:
    # Each of 20 frames is among the 5 kept with probability 1/4: over 200 seeds 50 times, deviation 6.
    whole = frames(20)
    times = dict.fromkeys((tuple(row.tolist()) for row in features(whole, "target")), 0)
    for seed in range(200):
        metric = KID(Toy(), reservoir=5, subset_size=2, seed=seed)
        metric.update(whole)
        for row in metric.target_features:
            times[tuple(row.tolist())] += 1
    assert all(25 <= count <= 75 for count in times.values())


@pytest.mark.parametrize(
    ("metric", "enough"), [(FID(Toy()), 2), (KID(Toy(), reservoir=20, subset_size=8), 8)], ids=["fid", "kid"]
)
def test_too_few_frames_are_nan(metric, enough) -> None:
    for count, defined in ((0, False), (enough - 1, False), (enough, True)):
        metric.reset()
        if count:
            metric.update(frames(count))
        assert bool(metric.compute().isfinite()) is defined


@pytest.mark.parametrize("metric", [FID(Toy()), KID(Toy(), subset_size=8)], ids=["fid", "kid"])
def test_a_picture_that_is_not_a_number_makes_the_value_nan(metric) -> None:
    whole = frames(8)
    whole["prediction"][3, 0, 0, 0] = torch.nan
    metric.update(whole)
    assert metric.compute().isnan()


def test_constant_pictures_have_a_defined_distance() -> None:
    whole, metric = frames(4), FID(Toy())
    metric.update({**whole, "prediction": torch.zeros(4, 3, 4, 4), "target": torch.full((4, 3, 4, 4), 0.5)})
    assert float(metric.compute()) == pytest.approx(SIZE * 0.25)


def test_a_reservoir_smaller_than_a_subset_is_refused() -> None:
    with pytest.raises(ValueError, match="subset_size <= reservoir"):
        KID(Toy(), reservoir=10, subset_size=11)


def metrics() -> list:
    return [
        LPIPS("lpips_alex", Difference()),
        FID(Toy()),
        KID(Toy(), reservoir=16, subsets=5, subset_size=8),
        KID(Toy(), reservoir=64, subsets=5, subset_size=30),  # neither rank alone has enough
    ]


def on_one_of_two(rank: int, expected: list[torch.Tensor]) -> None:
    share = list(range(28)) if rank == 0 else list(range(28, 40))  # unequal, as unpadded shards are
    for metric, value in zip(metrics(), expected, strict=True):
        metric.update(part(frames(40), share))
        torch.testing.assert_close(metric.compute(), value, rtol=1e-8, atol=0)


def test_two_processes_with_unequal_shares_agree_with_one(on_two_processes) -> None:
    expected = []
    for metric in metrics():
        metric.update(frames(40))
        expected.append(metric.compute())
    assert all(value.isfinite() for value in expected)
    on_two_processes(on_one_of_two, expected)
