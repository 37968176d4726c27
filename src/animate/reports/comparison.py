"""Several evaluations in one table, with paired differences over the clips that all of them have."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from animate.errors import UserError
from animate.metrics.bootstrap import paired_difference
from animate.metrics.evaluation import MODEL, ClipResult, Evaluation
from animate.reports.numbers import best_value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from animate.metrics.base import Definition
    from animate.reports.runs import Run


class Key(NamedTuple):
    """What a column means. Numbers under different keys are not comparable and never share a column."""

    name: str
    text: str
    backend: str
    crop: str
    codec: str


class Difference(NamedTuple):
    """A run minus the first run, over the clips in which both are defined."""

    value: float
    low: float
    """Lower end of the 95 % bootstrap interval over clips."""
    high: float
    clips: int


@dataclass(frozen=True, slots=True)
class Result:
    """A run in a column."""

    value: float
    """Over the common clips; for a metric over sets over all clips of the run. NaN: nothing was defined."""
    unavailable: str
    """Why it could not be computed; empty where it was."""
    difference: Difference | None
    """None for the first run, where it lacks the column, and for metrics without values per clip."""
    best: bool
    verdict: str
    """``better`` or ``worse`` than the first run where the interval leaves zero out, else empty."""


@dataclass(frozen=True, slots=True)
class Column:
    """A metric under one definition."""

    label: str
    """The metric's name, numbered where several definitions go by it."""
    key: Key
    definition: Definition
    results: list[Result | None]
    """For each run; None where it has no such column, and no reason why."""
    baselines: dict[str, float]
    """By row, over the same clips, as the first run with this column has them."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """All of it."""

    runs: list[Run]
    clips: set[str]
    """Names of those that all runs have in common, with the same number of frames."""
    columns: list[Column]


def compare(runs: Sequence[Run]) -> Comparison:
    """Put runs into one table.

    Raises:
        UserError: they have no clip in common.

    """
    common = common_clips(runs)
    if not common:
        raise UserError("the runs have no clip in common, by name and number of frames; compare others")
    keys = list(dict.fromkeys(key for run in runs for key in definitions(run.evaluation)))
    columns = [_column(key, _label(key, keys), runs, common) for key in keys]
    return Comparison(list(runs), common, columns)


def common_clips(runs: Sequence[Run]) -> set[str]:
    """Names of the clips that every run has, with the same number of frames."""
    sets = [{(clip.name, clip.frames) for clip in run.evaluation.clips} for run in runs]
    return {name for name, _ in set.intersection(*sets)}


def definitions(evaluation: Evaluation) -> dict[Key, Definition]:
    """Collect the columns of an evaluation by what they mean."""
    place = [_words(evaluation.provenance.get(name)) for name in ("crop", "codec")]
    return {Key(d.name, d.text, d.backend, *place): d for d in evaluation.definitions}


def _words(value: object) -> str:
    """Put plain values into words, the same for the same values."""
    if value is None:
        return "not stated"
    if isinstance(value, dict):
        return "; ".join(f"{key}: {_words(entry)}" for key, entry in sorted(value.items()))
    return ", ".join(map(_words, value)) if isinstance(value, list | tuple) else str(value)


def _label(key: Key, keys: Sequence[Key]) -> str:
    same = [other for other in keys if other.name == key.name]
    return key.name if len(same) == 1 else f"{key.name} ({same.index(key) + 1})"


def _column(key: Key, label: str, runs: Sequence[Run], common: set[str]) -> Column:
    having = [run for run in runs if key in definitions(run.evaluation)]
    values = {run.label: _value(run.evaluation, MODEL, key.name, common) for run in having}
    first = having[0].evaluation
    definition = definitions(first)[key]
    reference = runs[0] if runs[0].label in values else None
    results = [
        _result(run, reference, values[run.label], definition, common)
        if run.label in values
        else _lacking(run, key)
        for run in runs
    ]
    best = best_value(values.values(), definition.higher_is_better)
    marked = [one and replace(one, best=one.value == best) for one in results]
    return Column(label, key, definition, marked, _baselines(first, key.name, common))


def _result(
    run: Run, reference: Run | None, value: float, definition: Definition, common: set[str]
) -> Result:
    difference = _difference(run, reference, definition.name, common)
    reason = run.evaluation.unavailable.get(definition.name, "")
    return Result(value, reason, difference, False, _verdict(difference, definition.higher_is_better))


def _lacking(run: Run, key: Key) -> Result | None:
    reason = run.evaluation.unavailable.get(key.name, "")
    return Result(math.nan, reason, None, False, "") if reason else None


def _baselines(evaluation: Evaluation, metric: str, common: set[str]) -> dict[str, float]:
    values = {row: _value(evaluation, row, metric, common) for row in evaluation.rows if row != MODEL}
    return {row: value for row, value in values.items() if not math.isnan(value)}


def _value(evaluation: Evaluation, row: str, metric: str, common: set[str]) -> float:
    """Give the value that the evaluation states where all of its clips are common, else the mean over those.

    The mean weighs each clip by the frames in which a back-end found something. For a metric without values
    per clip only the stated one is there.
    """
    summary = evaluation.rows.get(row, {}).get(metric)
    clips = [clip for clip in evaluation.clips if metric in clip.values.get(row, {})]
    if not clips or all(clip.name in common for clip in evaluation.clips):
        return summary.value if summary is not None else math.nan
    used = [clip for clip in clips if clip.name in common and not math.isnan(clip.values[row][metric])]
    weights = [clip.frames - clip.missing.get(row, {}).get(metric, 0) for clip in used]
    if not sum(weights):
        return math.nan
    return float(np.average([clip.values[row][metric] for clip in used], weights=weights))


def _difference(run: Run, first: Run | None, metric: str, common: set[str]) -> Difference | None:
    """Subtract the first run, clip by clip; clips weigh as much as they have frames."""
    if first is None or run is first:
        return None
    ours, theirs = _finite(run.evaluation, metric, common), _finite(first.evaluation, metric, common)
    names = sorted(ours.keys() & theirs.keys())
    if not names:
        return None
    a = [ours[name].values[MODEL][metric] for name in names]
    b = [theirs[name].values[MODEL][metric] for name in names]
    weights = [ours[name].frames for name in names]
    return Difference(*paired_difference(a, b, weights), len(names))


def _finite(evaluation: Evaluation, metric: str, common: set[str]) -> dict[str, ClipResult]:
    """Pick the common clips in which the metric is a finite number."""
    return {
        clip.name: clip
        for clip in evaluation.clips
        if clip.name in common and math.isfinite(clip.values.get(MODEL, {}).get(metric, math.nan))
    }


def _verdict(difference: Difference | None, higher_is_better: bool) -> str:
    if difference is None or not (difference.low > 0 or difference.high < 0):
        return ""
    return "better" if (difference.value > 0) == higher_is_better else "worse"
