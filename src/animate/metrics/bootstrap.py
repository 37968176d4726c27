"""How sure a mean over clips is: the bootstrap, which draws the clips again and again with replacement.

Clips are drawn and not frames, because the frames of a clip resemble each other: they are not so many
independent observations. Every draw comes from a fixed seed, so the same clips give the same interval.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

RESAMPLES = 1000
SEED = 0
_LEVELS = (2.5, 97.5)  # percentiles: the ends of the 95 % interval
_CHUNK = 50  # resamples at a time, so that the drawn numbers of many clips stay small


class Interval(NamedTuple):
    """A value and the ends of its 95 % bootstrap interval."""

    value: float
    low: float
    high: float


def mean_interval(values: ArrayLike, weights: ArrayLike) -> Interval:
    """Compute the mean over clips, each weighted by its frames, with its interval (Efron, percentiles).

    Args:
        values: (C,) the mean over the frames of each clip.
        weights: (C,) how many frames those are. Clips without any do not count.

    Returns:
        NaN for all three without clips; NaN for the ends with a single clip, or where a value is infinite.

    """
    weight = np.asarray(weights, np.float64)
    counts = weight > 0
    value, weight = np.asarray(values, np.float64)[counts], weight[counts]
    if not len(value):
        return Interval(np.nan, np.nan, np.nan)
    mean = float(value @ weight / weight.sum())
    if len(value) < 2 or not np.isfinite(value).all():
        return Interval(mean, np.nan, np.nan)
    low, high = np.percentile(_resampled_means(value, weight), _LEVELS)
    return Interval(mean, float(low), float(high))


def paired_difference(a: ArrayLike, b: ArrayLike, weights: ArrayLike) -> Interval:
    """Compute how much higher ``a`` is than ``b`` over the same clips.

    What makes a clip hard concerns both, so the interval of the difference is narrower than the intervals of
    the two suggest. The difference is significant at the 5 % level where the interval does not hold 0.

    Args:
        a: (C,) the means over the frames of each clip.
        b: (C,) the same of the other.
        weights: (C,) how many frames each clip has.

    """
    return mean_interval(np.asarray(a, np.float64) - np.asarray(b, np.float64), weights)


def _resampled_means(values: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    random = np.random.default_rng(SEED)
    size = (_CHUNK, len(values))
    chunks = (random.integers(len(values), size=size) for _ in range(RESAMPLES // _CHUNK))
    return np.concatenate([(values * weights)[c].sum(1) / weights[c].sum(1) for c in chunks])
