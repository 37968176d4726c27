"""``animate compare``: several evaluations in one table and on one page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

    from animate.reports.comparison import Comparison
    from animate.reports.comparison_files import ResultView

WIDE = 200  # columns of the table where there is no terminal whose width it should fit


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the arguments; nothing heavy is imported for that."""
    about = "put evaluations into one table, with differences over the same clips"
    parser = subparsers.add_parser(
        "compare", help=about, description=f"{about.capitalize()} (docs/evaluation.md)."
    )
    parser.add_argument(
        "runs",
        type=Path,
        nargs="+",
        metavar="RUN",
        help="folder of an evaluation, or of a run: its newest evaluation; the first is compared against",
    )
    parser.add_argument(
        "--output", type=Path, default=Path("compare"), metavar="FOLDER", help="default compare/"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace the comparison in that folder")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Compare, print the table and write the page."""
    from animate.reports.comparison import compare
    from animate.reports.comparison_files import PAGE, write_comparison
    from animate.reports.runs import load_runs
    from animate.video.results import check_folder, results_folder

    check_folder(args.output, args.overwrite)
    comparison = compare(load_runs(args.runs))
    with results_folder(args.output, args.overwrite) as folder:
        write_comparison(comparison, folder)
    _print(comparison)
    print(f"written to {args.output / PAGE}")
    return 0


def _print(comparison: Comparison) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from animate.reports.comparison_files import column_view
    from animate.reports.comparison_notes import notes

    for one in comparison.runs:
        print(f"{one.label}: {one.folder}")
    for warning in notes(comparison):
        print(f"warning: {warning}")
    table = Table(title=f"{len(comparison.clips)} clips; differences from {comparison.runs[0].label}")
    for heading in ("metric", *(one.label for one in comparison.runs), "baselines"):
        table.add_column(Text(heading, overflow="fold"))
    for column in map(column_view, comparison.columns):
        name = f"{column.label} {column.definition.arrow} {column.definition.unit}".rstrip()
        baselines = "\n".join(f"{row} {value}" for row, value in column.baselines)
        cells = (name, *map(_cell, column.results), baselines)
        table.add_row(*(Text(cell) for cell in cells), end_section=True)
    terminal = Console()
    (terminal if terminal.is_terminal else Console(width=WIDE)).print(table)


def _cell(result: ResultView | None) -> str:
    if result is None:
        return "–"
    if result.unavailable:
        return result.unavailable
    value = f"{result.value} best" if result.best else result.value
    lines = (value, f"{result.difference} {result.verdict}".strip(), result.interval)
    return "\n".join(line for line in lines if line)
