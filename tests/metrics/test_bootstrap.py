"""Bootstrap intervals against SciPy's and against what must hold."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import bootstrap

from animate.metrics.bootstrap import mean_interval, paired_difference


def values(clips: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    return random.gamma(2, size=clips), random.integers(5, 200, clips)


def test_the_interval_is_that_of_scipy() -> None:
    value, weight = values(40)

    def weighted_mean(v, w, axis=-1):
        return (v * w).sum(axis) / w.sum(axis)

    reference = bootstrap(
        (value, weight),
        weighted_mean,
        paired=True,
        vectorized=True,
        method="percentile",
        n_resamples=20_000,
        rng=np.random.default_rng(7),
    )
    found = mean_interval(value, weight)
    assert found.value == pytest.approx(np.average(value, weights=weight))
    spread = reference.confidence_interval.high - reference.confidence_interval.low
    assert found.low == pytest.approx(reference.confidence_interval.low, abs=0.1 * spread)
    assert found.high == pytest.approx(reference.confidence_interval.high, abs=0.1 * spread)


def test_it_covers_the_truth_about_95_times_of_100() -> None:
    held = 0
    for seed in range(200):
        sample = np.random.default_rng(seed).normal(3, 1, 60)
        _, low, high = mean_interval(sample, np.ones(60))
        held += low <= 3 <= high
    assert 180 <= held <= 198


def test_the_same_clips_give_the_same_interval() -> None:
    assert mean_interval(*values(9)) == mean_interval(*values(9))


def test_clips_without_frames_do_not_count() -> None:
    value, weight = values(9)
    with_empty = mean_interval([*value, np.nan], [*weight, 0])
    assert with_empty == mean_interval(value, weight)


@pytest.mark.parametrize(("value", "mean"), [([], np.nan), ([3.0], 3), ([1.0, np.inf], np.inf)])
def test_too_little_for_an_interval(value, mean) -> None:
    found = mean_interval(value, np.ones(len(value)))
    np.testing.assert_equal(tuple(found), (mean, np.nan, np.nan))


def test_equal_clips_have_no_width() -> None:
    assert tuple(mean_interval([2.0] * 5, [1, 2, 3, 4, 5])) == pytest.approx((2, 2, 2))


def test_a_paired_difference_is_surer_than_the_two_means() -> None:
    hard, weight = values(30)
    better = 10 * hard
    worse = better + 0.5 + 0.1 * np.random.default_rng(1).normal(size=30)
    found = paired_difference(worse, better, weight)
    assert found.value == pytest.approx(np.average(worse - better, weights=weight))
    assert 0 < found.low < found.value < found.high
    one, other = mean_interval(worse, weight), mean_interval(better, weight)
    assert one.low < other.high, "the intervals of the two overlap, and yet the difference is sure"
    swapped = paired_difference(better, worse, weight)
    assert tuple(swapped) == pytest.approx((-found.value, -found.high, -found.low))
