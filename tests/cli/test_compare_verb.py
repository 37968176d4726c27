from __future__ import annotations

import json
import math

import pytest

from animate.cli import main
from animate.metrics.base import Definition
from animate.metrics.evaluation import ClipResult, Evaluation, Summary
from animate.reports.record import write_record

L1 = Definition("l1", "mean |p - t|", "", 0.0, 1.0, False, "a paper")


def put(folder, level, names=("a", "b", "c"), crop="none", text=L1.text):
    """An evaluation folder whose clips score ``level``, ``level + 0.1`` and so on."""
    folder.mkdir(parents=True)
    values = [level + 0.1 * i for i in range(len(names))]
    mean = sum(values) / len(values)
    definition = Definition("l1", text, "", 0.0, 1.0, False, "a paper")
    clips = [
        ClipResult(name, 4, {"model": {"l1": value}}, {}) for name, value in zip(names, values, strict=True)
    ]
    rows = {"model": {"l1": Summary(mean, math.nan, math.nan, 4 * len(names), 0)}}
    place = {"crop": crop, "codec": "lossless"}
    write_record(Evaluation([definition], rows, clips, provenance=place), folder / "metrics.json")
    return folder


@pytest.fixture
def call(tmp_path, capfd, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def compare(*arguments):
        code = main(["compare", *map(str, arguments)])
        return code, capfd.readouterr()

    return compare


def test_table_and_page(call, tmp_path):
    first, second = put(tmp_path / "run1" / "eval" / "x", 0.2), put(tmp_path / "run2", 0.15)
    code, printed = call("run1", second)
    assert code == 0, printed.err
    assert f"run1: {first.relative_to(tmp_path)}" in printed.out
    assert "l1 ↓" in printed.out
    assert "0.3000" in printed.out
    assert "0.2500 best" in printed.out
    assert "−0.0500 better" in printed.out
    assert "[−0.0500, −0.0500]" in printed.out
    assert "warning" not in printed.out
    assert "written to compare/compare.html" in printed.out
    assert sorted(path.name for path in (tmp_path / "compare").iterdir()) == [
        *(".animate-results", "compare.csv", "compare.html", "compare.json"),
    ]


def test_definitions_kept_apart_and_clips_left_out_are_told(call, tmp_path):
    put(tmp_path / "run1", 0.2)
    put(tmp_path / "run2", 0.2, names=("b", "c", "d", "e"), crop="centre")
    code, printed = call("run1", "run2", "--output", "table")
    assert code == 0, printed.err
    assert "warning: compared over the 2 clips" in printed.out
    assert "1 of run1, 2 of run2" in printed.out
    assert "warning: l1: 2 definitions that differ in crop, kept apart: (1) run1; (2) run2" in printed.out
    assert len(json.loads((tmp_path / "table" / "compare.json").read_text())["columns"]) == 2


def test_names_are_no_markup(call, tmp_path):
    put(tmp_path / "[bold]run[", 0.2)
    put(tmp_path / "run2", 0.1, text="[red]|p|[/nothing]")
    code, printed = call("[bold]run[", "run2")
    assert code == 0, printed.err
    assert "[bold]run[" in printed.out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "RUN"),
        (["run1"], "at least two"),
        (["run1", "nowhere"], "nowhere does not exist"),
        (["run1", "empty"], "empty holds no evaluation (no metrics.json)"),
        (["run1", "other"], "no clip in common"),
        (["run1", "future"], "format version 9"),
        (["run1", "damaged"], "damaged/metrics.json is no JSON"),
        (["run1", "./run1"], "named twice"),
        (["run1", "run2", "--output", "other/metrics.json/x"], "other/metrics.json is no folder"),
        (["run1", "run2", "--output", "run2"], "run2 is not empty"),
        (["run1", "run2", "--output", "run2", "--overwrite"], "holds something else"),
    ],
)
def test_bad_input_is_one_line(call, tmp_path, arguments, told):
    put(tmp_path / "run1", 0.2)
    put(tmp_path / "run2", 0.2)
    put(tmp_path / "other", 0.2, names=("x",))
    (tmp_path / "empty").mkdir()
    future = put(tmp_path / "future", 0.2) / "metrics.json"
    future.write_text(future.read_text().replace('"version": 1', '"version": 9'))
    (put(tmp_path / "damaged", 0.2) / "metrics.json").write_text("{")
    before = sorted(tmp_path.rglob("*"))
    code, printed = call(*arguments)
    assert code == 2
    assert printed.out == ""
    assert printed.err.startswith("animate: error: ")
    assert printed.err.count("\n") == 1
    assert told in printed.err
    assert sorted(tmp_path.rglob("*")) == before


def test_overwrite_replaces_a_comparison(call, tmp_path):
    put(tmp_path / "run1", 0.2)
    put(tmp_path / "run2", 0.1)
    assert call("run1", "run2")[0] == 0
    assert call("run1", "run2")[0] == 2
    notes = tmp_path / "compare" / "notes.txt"
    notes.write_text("of the user")
    code, printed = call("run2", "run1", "--overwrite")
    assert (code, notes.read_text()) == (2, "of the user")
    assert "compare holds notes.txt, which is not of the results" in printed.err
    notes.unlink()
    assert call("run2", "run1", "--overwrite")[0] == 0
    assert json.loads((tmp_path / "compare" / "compare.json").read_text())["first"] == "run2"
