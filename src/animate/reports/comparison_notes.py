"""What a reader of a comparison must know besides the numbers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from animate.metrics.evaluation import MODEL
from animate.reports.comparison import Key, definitions

if TYPE_CHECKING:
    from animate.reports.comparison import Column, Comparison


def notes(comparison: Comparison) -> list[str]:
    """Tell in a line each: clips left out, definitions kept apart, sets that differ, metrics lacking."""
    return [
        *_left_out(comparison),
        *_kept_apart(comparison),
        *_over_sets(comparison),
        *_lacking(comparison),
    ]


def _left_out(comparison: Comparison) -> list[str]:
    left_out = {
        run.label: sum(clip.name not in comparison.clips for clip in run.evaluation.clips)
        for run in comparison.runs
    }
    counted = ", ".join(f"{count} of {label}" for label, count in left_out.items() if count)
    if not counted:
        return []
    return [
        f"compared over the {len(comparison.clips)} clips that all runs have with the same number of frames;"
        f" left out: {counted}"
    ]


def _kept_apart(comparison: Comparison) -> list[str]:
    """Name the metrics that go by one name under several definitions, and what differs."""
    columns: dict[str, list[Column]] = {}
    for column in comparison.columns:
        columns.setdefault(column.key.name, []).append(column)
    found: dict[str, list[str]] = {}  # metrics that are divided in the same way share a line
    for name, same in columns.items():
        if len(same) > 1:
            found.setdefault(_division(same, comparison), []).append(name)
    return [f"{', '.join(names)}: {division}" for division, names in found.items()]


def _division(same: list[Column], comparison: Comparison) -> str:
    fields = [name for name in Key._fields if len({getattr(column.key, name) for column in same}) > 1]
    groups = [f"({number}) {', '.join(_labels(column, comparison))}" for number, column in enumerate(same, 1)]
    return f"{len(same)} definitions that differ in {' and '.join(fields)}, kept apart: {'; '.join(groups)}"


def _labels(column: Column, comparison: Comparison) -> list[str]:
    return [run.label for run in comparison.runs if column.key in definitions(run.evaluation)]


def _over_sets(comparison: Comparison) -> list[str]:
    """Name the metrics over sets where the runs' sets differ."""
    clips = [clip for run in comparison.runs for clip in run.evaluation.clips]
    if all(clip.name in comparison.clips for clip in clips):
        return []
    per_clip = {metric for clip in clips for metric in clip.values.get(MODEL, {})}
    names = [c.label for c in comparison.columns if c.key.name not in per_clip and _has_value(c)]
    return [f"over all clips of each run, which differ: {', '.join(names)}"] if names else []


def _lacking(comparison: Comparison) -> list[str]:
    """Name the metrics that were asked for and have no column."""
    there = {column.key.name for column in comparison.columns}
    names = dict.fromkeys(name for run in comparison.runs for name in run.evaluation.unavailable)
    lacking = [name for name in names if name not in there]
    return [f"computed by no run, for reasons in their reports: {', '.join(lacking)}"] if lacking else []


def _has_value(column: Column) -> bool:
    return any(result is not None and not math.isnan(result.value) for result in column.results)
