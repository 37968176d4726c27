"""The table of docs/metrics.md against the metrics themselves: names, directions, ranges, sets."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from omegaconf import OmegaConf
from scenes import FakeIdentity, FakePoints

from animate.metrics import Annotators, Networks, build
from animate.metrics.catalogue import NAMES
from animate.reports.render import DefinitionView, describe

ROOT = Path(__file__).parents[2]
SETS = ("default", "fast", "full", "pose2vid")
NETWORK = SimpleNamespace(backend="fake 1", size=4)


def documented() -> dict[str, dict[str, str]]:
    """The rows of the first table, by the metric's name."""
    lines = (ROOT / "docs/metrics.md").read_text(encoding="utf-8").splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("| name | formula |"))
    rows: dict[str, dict[str, str]] = {}
    heads = cells(lines[start])
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            return rows
        row = dict(zip(heads, cells(line), strict=True))
        name = row["name"].strip("`")
        assert name not in rows, f"{name} has two rows"
        rows[name] = row
    raise AssertionError("the table is the end of the page")


def cells(line: str) -> list[str]:
    protected = line.replace("\\|", "\0").strip("|")
    return [cell.strip().replace("\0", "|") for cell in protected.split("|")]


def defined(name: str) -> DefinitionView:
    annotators = Annotators(points={"landmarks": FakePoints()}, identity=FakeIdentity())
    networks = Networks(lambda _: NETWORK, lambda: NETWORK, lambda pictures: pictures)
    (metric,) = build([name], annotators=annotators, networks=networks).metrics
    return describe(metric.definition)


def test_every_metric_has_its_row_and_every_row_its_metric() -> None:
    assert sorted(documented()) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_row_says_what_the_definition_says(name) -> None:
    row, definition = documented()[name], defined(name)
    assert f"{row['better']} is better" == definition.direction
    assert row["range"] == f"{definition.range} {definition.unit}".strip()
    assert bool(row["back-end"]) == (
        bool(definition.backend) or definition.name.endswith(("keypoints", "stability"))
    )
    assert row["formula"]
    assert row["source"]


def test_the_rows_name_the_sets_of_the_config() -> None:
    sets = {name: OmegaConf.load(ROOT / f"conf/metrics/{name}.yaml").names for name in SETS}
    for metric, row in documented().items():
        assert row["sets"].split(", ") == [name for name in SETS if metric in sets[name]]
