from __future__ import annotations

import csv
import json
import math
from dataclasses import asdict, replace

import pytest
from outcomes import FID, L1, PSNR, outcome

from animate.errors import UserError
from animate.metrics.evaluation import Summary
from animate.reports.record import read_record, write_per_clip, write_record

ODD = '<b>"ä" & 日本</b>, x.mp4'


@pytest.fixture
def evaluation():
    made = outcome(
        {"a.mp4": {"l1": 0.1, "psnr": math.inf}, ODD: {"l1": math.nan, "psnr": 20.5}},
        {"a.mp4": 3},
        skipped=["broken.mp4: cut off"],
        unavailable={"fid": "weights not available: x"},
        warnings=["lossy"],
        provenance={"crop": None, "config": {"seed": 0, "lr": [1e-4, 2]}},
    )
    made.clips[0].missing["model"] = {"l1": 2}
    made.rows["model"]["psnr"] = Summary(math.inf, -math.inf, math.nan, 3, 1)
    made.definitions.append(FID)
    return made


def strict(path):
    """Parse JSON as the standard has it, without Python's NaN and Infinity."""

    def refuse(constant):
        raise AssertionError(f"{constant} is no JSON")

    return json.loads(path.read_text(), parse_constant=refuse)


def same(a, b):
    """Equality in which NaN equals NaN."""
    return json.dumps(asdict(a), sort_keys=True) == json.dumps(asdict(b), sort_keys=True)


def test_there_and_back(evaluation, tmp_path):
    write_record(evaluation, tmp_path / "metrics.json")
    content = strict(tmp_path / "metrics.json")
    assert (content["format"], content["version"]) == ("animate evaluation", 1)
    assert content["clips"][1]["values"]["model"]["l1"] is None
    assert content["rows"]["model"]["psnr"] == {
        "value": "inf",
        "low": "-inf",
        "high": None,
        "frames": 3,
        "missing": 1,
    }
    back = read_record(tmp_path / "metrics.json")
    assert same(back, evaluation)
    assert back.definitions == [L1, PSNR, FID]
    assert not same(back, replace(evaluation, warnings=[]))  # the comparison can fail


def test_names_that_are_no_text(tmp_path):
    made = outcome({"bad\udcff.mp4": {"l1": 0.1, "psnr": 1.0}})
    write_record(made, tmp_path / "metrics.json")
    assert read_record(tmp_path / "metrics.json").clips[0].name == "bad\udcff.mp4"
    write_per_clip(made, tmp_path / "per_clip.csv")
    assert "bad\\udcff.mp4" in (tmp_path / "per_clip.csv").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda c: c.update(version=2), "format version 2, this program reads 1"),
        (lambda c: c.update(format="other"), "is no evaluation"),
        (lambda c: c.pop("rows"), "damaged"),
        (lambda c: c["rows"]["model"]["l1"].update(value="many"), "damaged"),
        (lambda c: c["definitions"][0].update(colour="red"), "damaged"),
        (lambda c: c.update(clips={"a": 1}), "damaged"),
    ],
)
def test_what_is_something_else_is_one_line(evaluation, tmp_path, damage, told):
    path = tmp_path / "metrics.json"
    write_record(evaluation, path)
    content = strict(path)
    damage(content)
    path.write_text(json.dumps(content))
    with pytest.raises(UserError, match=told) as caught:
        read_record(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "told"), [("{", "is no JSON"), ("[]", "is no evaluation"), (None, "cannot be read")]
)
def test_what_is_no_record_at_all(tmp_path, text, told):
    path = tmp_path / "metrics.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(UserError, match=told):
        read_record(path)


def test_table_of_clips(evaluation, tmp_path):
    write_per_clip(evaluation, tmp_path / "per_clip.csv")
    with (tmp_path / "per_clip.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["clip", "frames", "l1", "psnr", "l1@copy_first_frame", "psnr@copy_first_frame"]
    assert [row["clip"] for row in rows] == ["a.mp4", ODD]
    assert rows[0] == {
        "clip": "a.mp4",
        "frames": "3",
        "l1": "0.1",
        "psnr": "inf",
        "l1@copy_first_frame": "0.6",
        "psnr@copy_first_frame": "inf",
    }
    assert rows[1]["l1"] == ""
    assert float(rows[1]["psnr@copy_first_frame"]) == 21.0
