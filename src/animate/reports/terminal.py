"""An evaluation on the terminal."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from animate.metrics.evaluation import MODEL, Summary
from animate.reports.numbers import counts, interval, number_format, shown
from animate.reports.reasons import by_reason

if TYPE_CHECKING:
    from animate.metrics.base import Definition
    from animate.metrics.evaluation import Evaluation

WIDE = 160
"""Columns of the table where there is no terminal whose width it should fit."""
NAMED = 5
"""Clips without a place in the results that are named."""
_NOTHING = Summary(math.nan, math.nan, math.nan, 0, 0)


def print_evaluation(evaluation: Evaluation, title: str) -> None:
    """Print the warnings, what was left out, and a table: a line for each metric, the baselines beside it."""
    for warning in evaluation.warnings:
        print(f"warning: {warning}")
    for skipped in evaluation.skipped[:NAMED]:
        print(f"left out: {skipped}")
    if len(evaluation.skipped) > NAMED:
        print(f"left out: {len(evaluation.skipped) - NAMED} more, all of them in the report")
    terminal = Console()
    (terminal if terminal.is_terminal else Console(width=WIDE)).print(_table(evaluation, title))
    for reason, names in by_reason(evaluation.unavailable).items():
        print(f"{', '.join(names)}: {reason}")


def _table(evaluation: Evaluation, title: str) -> Table:
    rows = [MODEL, *(row for row in evaluation.rows if row != MODEL)]
    table = Table(title=Text(f"{title}: {counts(evaluation)}"))
    for heading in ("metric", MODEL, "95 % interval", *rows[1:], "not found"):
        table.add_column(heading.replace("_", " "), justify="left" if heading == "metric" else "right")
    for definition in evaluation.definitions:
        if definition.name not in evaluation.unavailable:
            table.add_row(*(Text(cell) for cell in _line(definition, evaluation, rows)))
    return table


def _line(definition: Definition, evaluation: Evaluation, rows: list[str]) -> list[str]:
    found = [evaluation.rows[row].get(definition.name, _NOTHING) for row in rows]
    specification = number_format(summary.value for summary in found)
    model, *baselines = found
    arrow = "↑" if definition.higher_is_better else "↓"
    return [
        f"{definition.name} {arrow} {definition.unit}".rstrip(),
        shown(model.value, specification),
        interval(model.low, model.high, specification),
        *(shown(summary.value, specification) for summary in baselines),
        str(model.missing) if model.missing else "",
    ]
