"""How numbers stand in tables: all of one metric with the same decimals."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from animate.metrics.evaluation import Evaluation

_DIGITS = 4
_SMALL, _LARGE = 1e-4, 1e7


def best_value(values: Iterable[float], higher_is_better: bool) -> float:
    """Return the best of the values that are defined; NaN where none is better than another."""
    defined = {value for value in values if not math.isnan(value)}
    if len(defined) < 2:
        return math.nan
    return max(defined) if higher_is_better else min(defined)


def number_format(values: Iterable[float]) -> str:
    """Choose a format specification under which the largest of the values has four significant digits."""
    largest = max((abs(value) for value in values if math.isfinite(value)), default=0.0)
    if largest == 0.0:
        return ".4f"
    if not _SMALL <= largest < _LARGE:
        return f".{_DIGITS - 1}e"
    return f".{max(0, _DIGITS - 1 - math.floor(math.log10(largest)))}f"


def shown(value: float, specification: str) -> str:
    """Write a number; NaN as a dash, the infinities as ∞, with a true minus sign."""
    if math.isnan(value):
        return "–"
    text = "∞" if value == math.inf else "-∞" if value == -math.inf else f"{value:{specification}}"
    return text.replace("-", "−")


def interval(low: float, high: float, specification: str) -> str:
    """Write ``[low, high]``; nothing when there is none."""
    if math.isnan(low) or math.isnan(high):
        return ""
    return f"[{shown(low, specification)}, {shown(high, specification)}]"


def counts(evaluation: Evaluation) -> str:
    """Say over how many clips and frames an evaluation goes."""
    clips, frames = len(evaluation.clips), sum(clip.frames for clip in evaluation.clips)
    return f"{clips} clip{'s' * (clips != 1)}, {frames} frame{'s' * (frames != 1)}"
