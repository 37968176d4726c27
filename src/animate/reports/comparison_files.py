"""A comparison in files: ``compare.html`` to look at, ``compare.csv`` and ``compare.json`` to go on with."""

from __future__ import annotations

import csv
import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from markupsafe import Markup

from animate.reports.comparison_notes import notes
from animate.reports.numbers import interval, number_format, shown
from animate.reports.record import write_json
from animate.reports.render import DefinitionView, describe, render
from animate.reports.svg import whisker

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from animate.reports.comparison import Column, Comparison, Difference, Result

PAGE, TABLE, RECORD = "compare.html", "compare.csv", "compare.json"
FORMAT = "animate comparison"
VERSION = 1


class ResultView(NamedTuple):
    """A run in a column, in words."""

    value: str
    unavailable: str
    best: bool
    difference: str
    interval: str
    clips: int
    verdict: str
    chart: Markup


@dataclass(frozen=True, slots=True)
class ColumnView:
    """A column, in words."""

    label: str
    definition: DefinitionView
    crop: str
    codec: str
    results: list[ResultView | None]
    baselines: list[tuple[str, str]]


def write_comparison(comparison: Comparison, folder: Path) -> None:
    """Write the three files into an existing folder; whoever calls sees to it that it appears whole."""
    write_json(_record(comparison), folder / RECORD)
    _write_table(comparison, folder / TABLE)
    page = render(
        "compare.html",
        title=" · ".join(run.label for run in comparison.runs),
        warnings=notes(comparison),
        runs=comparison.runs,
        clips=len(comparison.clips),
        columns=[column_view(column) for column in comparison.columns],
    )
    (folder / PAGE).write_text(page, encoding="utf-8", errors="backslashreplace")


def column_view(column: Column) -> ColumnView:
    """Put a column into words, all its numbers with the same decimals."""
    values = [result.value for result in column.results if result is not None]
    specification = number_format([*values, *column.baselines.values()])
    differences = [result.difference for result in column.results if result is not None and result.difference]
    ends = [abs(end) for one in differences for end in (one.low, one.high) if math.isfinite(end)]
    reach = max(ends, default=0.0)
    return ColumnView(
        column.label,
        describe(column.definition),
        column.key.crop,
        column.key.codec,
        [None if result is None else _result_view(result, specification, reach) for result in column.results],
        [(row.replace("_", " "), shown(value, specification)) for row, value in column.baselines.items()],
    )


def _result_view(result: Result, specification: str, reach: float) -> ResultView:
    value, difference = shown(result.value, specification), result.difference
    if difference is None:
        return ResultView(value, result.unavailable, result.best, "", "", 0, "", Markup(""))
    return ResultView(
        value,
        result.unavailable,
        result.best,
        shown(difference.value, f"+{specification}"),
        interval(difference.low, difference.high, f"+{specification}"),
        difference.clips,
        result.verdict,
        whisker(difference.value, difference.low, difference.high, reach),
    )


def _record(comparison: Comparison) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "version": VERSION,
        "runs": [{"label": run.label, "folder": str(run.folder.resolve())} for run in comparison.runs],
        "first": comparison.runs[0].label,
        "clips": sorted(comparison.clips),
        "warnings": notes(comparison),
        "columns": [_column_record(column, comparison) for column in comparison.columns],
    }


def _column_record(column: Column, comparison: Comparison) -> dict[str, Any]:
    results = {
        run.label: None if result is None else _result_record(result)
        for run, result in zip(comparison.runs, column.results, strict=True)
    }
    return {
        "label": column.label,
        "definition": asdict(column.definition),
        "crop": column.key.crop,
        "codec": column.key.codec,
        "results": results,
        "baselines": column.baselines,
    }


def _result_record(result: Result) -> dict[str, Any]:
    difference: Difference | None = result.difference
    return {
        "value": result.value,
        "unavailable": result.unavailable,
        "best": result.best,
        "difference": None if difference is None else difference._asdict(),
    }


_HEADER = (
    *("column", "metric", "definition", "backend", "crop", "codec", "unit", "higher_is_better"),
    *("run", "value", "difference", "low", "high", "clips", "best"),
)


def _write_table(comparison: Comparison, path: Path) -> None:
    """Write a line for each run and column, numbers in full precision, what is not defined empty."""
    with path.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file:
        writer = csv.writer(file)
        writer.writerow(_HEADER)
        writer.writerows(line for column in comparison.columns for line in _lines(column, comparison))


def _lines(column: Column, comparison: Comparison) -> Iterator[tuple[object, ...]]:
    key, definition = column.key, column.definition
    meaning = (column.label, *key, definition.unit, definition.higher_is_better)
    for run, result in zip(comparison.runs, column.results, strict=True):
        if result is None:
            continue
        difference = tuple(result.difference or ("", "", "", ""))
        numbers = ("" if value != value else value for value in (result.value, *difference))
        yield (*meaning, run.label, *numbers, result.best)
