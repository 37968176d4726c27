from __future__ import annotations

import os
from pathlib import Path

import pytest
from outcomes import outcome

from animate.errors import UserError
from animate.reports.record import write_record
from animate.reports.runs import find_evaluation, labels, load_runs

EVALUATION = outcome({"a": {"l1": 0.1, "psnr": 1.0}})


def put(folder, time=1_000):
    folder.mkdir(parents=True)
    write_record(EVALUATION, folder / "metrics.json")
    os.utime(folder / "metrics.json", (time, time))
    return folder


def test_the_newest_evaluation_of_a_run(tmp_path):
    put(tmp_path / "eval" / "b", 3_000)
    put(tmp_path / "eval" / "a", 2_000)
    put(tmp_path / "eval" / ".c.123.part", 9_000)  # being written
    (tmp_path / "recon").mkdir()
    (tmp_path / "recon" / "metrics.json").write_text('{"l1": 0.1}')  # of another program, and newer
    (tmp_path / "metrics.csv").write_text("a log")
    assert find_evaluation(tmp_path) == tmp_path / "eval" / "b"
    assert find_evaluation(tmp_path / "eval" / "a") == tmp_path / "eval" / "a"


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (Path, "does not exist"),
        (lambda path: path.write_text(""), "is a file"),
        (lambda path: path.mkdir(), "holds no evaluation"),
    ],
)
def test_no_evaluation(tmp_path, make, told):
    make(tmp_path / "run")
    with pytest.raises(UserError, match=told) as caught:
        find_evaluation(tmp_path / "run")
    assert str(tmp_path / "run") in str(caught.value)


def test_load(tmp_path):
    runs = load_runs([put(tmp_path / "one" / "eval").parent, put(tmp_path / "two")])
    assert [run.label for run in runs] == ["one", "two"]
    assert [run.folder for run in runs] == [tmp_path / "one" / "eval", tmp_path / "two"]
    assert runs[1].evaluation == EVALUATION


def test_fewer_than_two_or_one_twice(tmp_path):
    folder = put(tmp_path / "one" / "eval")
    with pytest.raises(UserError, match="at least two"):
        load_runs([folder])
    with pytest.raises(UserError, match="named twice"):
        load_runs([folder, folder.parent])


@pytest.mark.parametrize(
    ("folders", "expected"),
    [
        (["/o/x/run", "/o/y/run"], ["x/run", "y/run"]),
        (["/o/a", "/o/b"], ["a", "b"]),
        (["/o/a", "/o/a/b"], ["a", "b"]),
    ],
)
def test_labels_tell_runs_apart(folders, expected):
    assert labels([Path(folder) for folder in folders]) == expected
