"""The table of a comparison of backgrounds: rows are ways to make them, split by how complex scenes are."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from animate.metrics.bootstrap import Interval, mean_interval, paired_difference
from animate.reports.numbers import interval, number_format, shown
from animate.reports.record import write_json
from animate.video.grid import tile
from animate.video.image import write_image

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    Picture = NDArray[np.uint8]

TABLE = "table.md"
RECORD = "comparison.json"
CLIPS = "clips.csv"
ALL = "all"
GROUPS = ("plain", "middle", "complex")
COMPLEXITY = "gradient_energy"
"""What scenes are split by, into thirds."""
FEWEST = 30
"""Scenes below which they stand one by one, without groups and intervals."""
CLAIMED = ("psnr_hole", "one_minus_ms_ssim")
"""What differences are told of."""
SHEETS = ("best", "typical", "worst")
_ROWS_OF_A_SHEET = 4
_MEANING = {
    "psnr_hole": "dB ↑",
    "one_minus_ms_ssim": "↓",
    "lpips_alex": "↓",
    "l1_hole": "↓",
    "ssim_hole": "↑",
    "l1_edge": "↓",
    "flicker": "↓",
    "seam": "↓",
    "stand_in_flicker": "↓",
    "person_left": "↓",
    "matte_iou": "↑",
    "matte_edge": "↓",
    "crop_kept": "↑",
    "crop_share": "↓",
}


class Scene(NamedTuple):
    """What was measured on one scene."""

    name: str
    facts: Mapping[str, float]
    """How complex it is, how large its hole is."""
    rows: Mapping[str, Mapping[str, float]]
    """By row, then by metric."""


@dataclass(frozen=True)
class Backgrounds:
    """A comparison: every row over the same scenes.

    Args:
        scenes: at least one.
        reference: the row that differences are from.
        provenance: where the numbers come from.
        notes: what a reader has to know.

    """

    scenes: Sequence[Scene]
    reference: str
    provenance: Mapping[str, Any]
    notes: Sequence[str] = ()

    @property
    def rows(self) -> list[str]:
        """Their names."""
        return list(self.scenes[0].rows)

    @cached_property
    def metrics(self) -> list[str]:
        """Those that are defined in some row of some scene, in the order of the table."""
        rows = [row for scene in self.scenes for row in scene.rows.values()]
        found = {name for row in rows for name, value in row.items() if not math.isnan(value)}
        return [name for name in _MEANING if name in found]

    @property
    def claimed(self) -> list[str]:
        """Those of :data:`CLAIMED` that are defined."""
        return [name for name in CLAIMED if name in self.metrics]

    def groups(self) -> dict[str, list[Scene]]:
        """Split the scenes into thirds by their complexity, where there are enough."""
        if len(self.scenes) < FEWEST:
            return {ALL: list(self.scenes)}
        ranked = sorted(self.scenes, key=lambda scene: (scene.facts[COMPLEXITY], scene.name))
        thirds = np.array_split(np.arange(len(ranked)), len(GROUPS))
        return {ALL: list(self.scenes)} | {
            name: [ranked[i] for i in third] for name, third in zip(GROUPS, thirds, strict=True)
        }


def mean(scenes: Sequence[Scene], row: str, metric: str) -> Interval:
    """Compute a row's mean over scenes in which the metric is defined, with its 95 % bootstrap interval."""
    values = _values(scenes, row, metric)
    return _told(mean_interval(values, ~np.isnan(values)), scenes)


def difference(scenes: Sequence[Scene], row: str, reference: str, metric: str) -> Interval:
    """Compute how much higher a row is than another over the same scenes, with its interval."""
    ours, theirs = _values(scenes, row, metric), _values(scenes, reference, metric)
    return _told(paired_difference(ours, theirs, ~np.isnan(ours - theirs)), scenes)


def _told(found: Interval, scenes: Sequence[Scene]) -> Interval:
    """Keep the interval where there are enough scenes for one."""
    return found if len(scenes) >= FEWEST else Interval(found.value, math.nan, math.nan)


def _values(scenes: Sequence[Scene], row: str, metric: str) -> NDArray[np.float64]:
    return np.array([scene.rows[row].get(metric, math.nan) for scene in scenes], np.float64)


def table(comparison: Backgrounds, group: str) -> list[list[str]]:
    """Lay a group out: a header, then a line for each row."""
    scenes = comparison.groups()[group]
    lines = [["", *(f"{name} {_MEANING[name]}" for name in comparison.metrics)]]
    means = {name: {row: mean(scenes, row, name) for row in comparison.rows} for name in comparison.metrics}
    formats = {name: number_format(one.value for one in column.values()) for name, column in means.items()}
    return lines + [
        [row, *(_cell(means[name][row], formats[name], name) for name in comparison.metrics)]
        for row in comparison.rows
    ]


def differences(comparison: Backgrounds) -> list[list[str]]:
    """Lay out how rows differ from the reference, in every group."""
    groups = comparison.groups()
    lines = [["", *(f"{name}, {group}" for name in comparison.claimed for group in groups)]]
    for row in comparison.rows:
        if row != comparison.reference:
            found = [
                difference(scenes, row, comparison.reference, name)
                for name in comparison.claimed
                for scenes in groups.values()
            ]
            lines.append([row, *(_signed(one) for one in found)])
    return lines


def _cell(found: Interval, specification: str, name: str) -> str:
    ends = interval(found.low, found.high, specification) if name in CLAIMED else ""
    return f"{shown(found.value, specification)} {ends}".strip()


def _signed(found: Interval) -> str:
    specification = "+" + number_format(found)
    return f"{shown(found.value, specification)} {interval(found.low, found.high, specification)}".strip()


def markdown(comparison: Backgrounds) -> str:
    """Write all tables for a page of documentation."""
    parts = []
    for group, scenes in comparison.groups().items():
        energies = [scene.facts[COMPLEXITY] for scene in scenes]
        span = f"{min(energies):.3f} to {max(energies):.3f}"
        parts.append(
            f"## {group}: {len(scenes)} scenes, {COMPLEXITY} {span}\n\n{_piped(table(comparison, group))}"
        )
    if len(comparison.scenes) >= FEWEST:
        parts.append(f"## minus {comparison.reference}\n\n{_piped(differences(comparison))}")
    if comparison.notes:
        parts.append("\n".join(f"- {note}" for note in comparison.notes))
    return "\n\n".join(parts) + "\n"


def _piped(lines: Sequence[Sequence[str]]) -> str:
    escaped = [[cell.replace("|", "\\|") for cell in line] for line in lines]
    head, *rest = (f"| {' | '.join(line)} |" for line in escaped)
    return "\n".join([head, "|" + "---|" * len(lines[0]), *rest])


def write(comparison: Backgrounds, folder: Path) -> None:
    """Write the tables, the numbers of every scene, and all of it for programs."""
    (folder / TABLE).write_text(markdown(comparison), encoding="utf-8")
    with (folder / CLIPS).open("w", newline="", encoding="utf-8") as file:
        lines = csv.writer(file)
        facts = list(comparison.scenes[0].facts)
        lines.writerow(["scene", *facts, "row", *comparison.metrics])
        for scene in comparison.scenes:
            for row, found in scene.rows.items():
                numbers = [found.get(name, math.nan) for name in comparison.metrics]
                defined = ["" if math.isnan(number) else number for number in numbers]
                lines.writerow([scene.name, *scene.facts.values(), row, *defined])
    write_json(_record(comparison), folder / RECORD)


def _record(comparison: Backgrounds) -> dict[str, Any]:
    groups = {
        group: {
            row: {name: mean(scenes, row, name)._asdict() for name in comparison.metrics}
            | {
                f"{name}_minus_{comparison.reference}": difference(
                    scenes, row, comparison.reference, name
                )._asdict()
                for name in comparison.claimed
            }
            for row in comparison.rows
        }
        for group, scenes in comparison.groups().items()
    }
    return {"provenance": comparison.provenance, "notes": list(comparison.notes), "groups": groups}


def chosen(comparison: Backgrounds, row: str) -> dict[str, list[int]]:
    """Choose the scenes of the sheets by a row's ``psnr_hole``: best, about the median, worst.

    Only scenes with a hole are chosen; none where there is no such scene.
    """
    values = _values(comparison.scenes, row, CLAIMED[0])
    order = [i for i in np.argsort(-values, kind="stable").tolist() if not math.isnan(values[i])]
    if not order:
        return {}
    count = min(_ROWS_OF_A_SHEET, len(order))
    first = (len(order) - count) // 2
    return {"best": order[:count], "typical": order[first : first + count], "worst": order[-count:]}


def write_sheet(path: Path, pictures: Sequence[Mapping[str, Picture]]) -> None:
    """Write scenes under each other, with a column for each way."""
    write_image(path, tile([list(row.values()) for row in pictures], labels=list(pictures[0])))
