"""``report.html``: one self-contained page about one evaluation."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, NamedTuple

from animate.metrics.evaluation import COPY_FIRST_FRAME, MODEL, PREVIOUS_FRAME, ClipResult, Evaluation
from animate.reports.clips import ClipView, best_and_worst, main_metric
from animate.reports.numbers import best_value, counts, interval, number_format, shown
from animate.reports.reasons import by_reason
from animate.reports.render import DefinitionView, describe, render
from animate.reports.svg import histogram

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markupsafe import Markup

    from animate.metrics.base import Definition
    from animate.metrics.evaluation import Summary
    from animate.reports.recorder import Recorder


class Cell(NamedTuple):
    """A row's value of one metric, in words."""

    value: str
    interval: str
    frames: int
    missing: int
    best: bool


@dataclass(frozen=True, slots=True)
class MetricView:
    """A metric with its cells, one for each row of the evaluation."""

    definition: DefinitionView
    cells: list[Cell | None]
    """None where a metric says nothing about a row."""
    unavailable: str
    """Why there are no values; empty when there are."""


class Entry(NamedTuple):
    """A line of the provenance."""

    name: str
    value: str
    long: bool
    """Folded away at first."""


class Chart(NamedTuple):
    """The histogram of a metric."""

    name: str
    svg: Markup
    left_out: int
    """Clips without a finite value."""


class ClipRow(NamedTuple):
    """A line of the table of clips."""

    name: str
    frames: int
    values: list[tuple[str, str, int]]
    """For each metric: what to sort by, what to show, and how many frames are missing."""


def report_page(evaluation: Evaluation, recorder: Recorder | None, side_by_side: str) -> str:
    """Build the page.

    Args:
        evaluation: what to show.
        recorder: holds the pictures and videos of the clips; without, there are none.
        side_by_side: what the long video beside the page shows, in words; empty where there is none.

    """
    rows = row_names(evaluation)
    main = main_metric(evaluation)
    per_clip = [d for d in evaluation.definitions if _values(evaluation, MODEL, d.name)]
    groups: list[tuple[str, list[ClipView]]] = []
    if main is not None:
        groups = best_and_worst(evaluation, main, recorder)
    return render(
        "report.html",
        title=_title(evaluation),
        counts=counts(evaluation),
        rows=[name.replace("_", " ") for name in rows],
        metrics=[_metric(d, evaluation, rows) for d in evaluation.definitions],
        undefined=_undefined(evaluation),
        provenance=[_entry(name, value) for name, value in evaluation.provenance.items()],
        warnings=evaluation.warnings,
        skipped=evaluation.skipped,
        main=None if main is None else describe(main),
        groups=groups,
        charts=[_chart(evaluation, d) for d in per_clip],
        baseline=COPY_FIRST_FRAME.replace("_", " ") if COPY_FIRST_FRAME in evaluation.rows else "",
        columns=[d.name for d in per_clip],
        clips=_clip_rows(evaluation.clips, per_clip),
        side_by_side=side_by_side,
    )


def row_names(evaluation: Evaluation) -> list[str]:
    """List the rows, the model first."""
    return [MODEL, *(row for row in evaluation.rows if row != MODEL)]


def _title(evaluation: Evaluation) -> str:
    checkpoint = evaluation.provenance.get("checkpoint")
    return PurePath(str(checkpoint)).name if checkpoint else "Evaluation"


def _undefined(evaluation: Evaluation) -> dict[str, list[str]]:
    """Metrics that have a reason not to be there, and no definition either, by that reason."""
    defined = {definition.name for definition in evaluation.definitions}
    return by_reason({name: why for name, why in evaluation.unavailable.items() if name not in defined})


def _metric(definition: Definition, evaluation: Evaluation, rows: Sequence[str]) -> MetricView:
    found = {row: evaluation.rows.get(row, {}).get(definition.name) for row in rows}
    values = {row: summary.value for row, summary in found.items() if summary is not None}
    specification = number_format(values.values())
    values.pop(PREVIOUS_FRAME, None)  # it is made of the target: no rival
    best = best_value(values.values(), definition.higher_is_better)
    cells = [
        None if summary is None else _cell(summary, specification, values.get(row) == best)
        for row, summary in found.items()
    ]
    return MetricView(describe(definition), cells, evaluation.unavailable.get(definition.name, ""))


def _cell(summary: Summary, specification: str, best: bool) -> Cell:
    return Cell(
        shown(summary.value, specification),
        interval(summary.low, summary.high, specification),
        summary.frames,
        summary.missing,
        best,
    )


def _entry(name: str, value: Any) -> Entry:
    """Put flat values into a line; what is nested is written as JSON."""
    if isinstance(value, dict) and any(isinstance(entry, dict) for entry in value.values()):
        return Entry(name, json.dumps(value, indent=2, ensure_ascii=False, default=str), True)
    return Entry(name, _line(value), False)


def _line(value: Any) -> str:
    """Write names and lists in a line, without what is not set."""
    if isinstance(value, dict):
        parts = [f"{key}: {_line(entry)}" for key, entry in value.items() if entry is not None]
        return "; ".join(parts) or "–"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "–"
    return "–" if value is None else str(value)


def _values(evaluation: Evaluation, row: str, metric: str) -> list[float]:
    """One value per clip that has the metric; NaN where it is not defined."""
    return [clip.values[row][metric] for clip in evaluation.clips if metric in clip.values.get(row, {})]


def _chart(evaluation: Evaluation, definition: Definition) -> Chart:
    values = _values(evaluation, MODEL, definition.name)
    baseline = _values(evaluation, COPY_FIRST_FRAME, definition.name)
    return Chart(
        definition.name, histogram(values, baseline), sum(not math.isfinite(value) for value in values)
    )


def _clip_rows(clips: Sequence[ClipResult], metrics: Sequence[Definition]) -> list[ClipRow]:
    columns = [[clip.values.get(MODEL, {}).get(d.name, math.nan) for clip in clips] for d in metrics]
    formats = [number_format(column) for column in columns]
    return [
        ClipRow(
            clip.name,
            clip.frames,
            [
                (
                    "" if math.isnan(column[i]) else repr(column[i]),
                    shown(column[i], specification),
                    clip.missing.get(MODEL, {}).get(definition.name, 0),
                )
                for definition, column, specification in zip(metrics, columns, formats, strict=True)
            ],
        )
        for i, clip in enumerate(clips)
    ]
