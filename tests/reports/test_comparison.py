from __future__ import annotations

import csv
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from outcomes import FID, L1, PLACE, PSNR, outcome, redefined
from pages import Page, outside_references

from animate.errors import UserError
from animate.metrics.evaluation import Summary
from animate.reports.comparison import compare
from animate.reports.comparison_files import write_comparison
from animate.reports.comparison_notes import notes
from animate.reports.runs import Run

NAMES = [f"c{i}" for i in range(12)]
FRAMES = {name: 5 + 3 * (i % 4) for i, name in enumerate(NAMES)}


def run(label, evaluation):
    return Run(label, Path(label), evaluation)


def scored(l1, psnr, names=NAMES, **others):
    """Values for each clip: a number for each, or one for all."""
    pairs = zip(names, np.broadcast_to(l1, len(names)), np.broadcast_to(psnr, len(names)), strict=True)
    values = {name: {"l1": float(a), "psnr": float(b)} for name, a, b in pairs}
    return outcome(values, {name: FRAMES.get(name, 10) for name in names}, **others)


@pytest.fixture(scope="module")
def hard():
    """How hard each clip is: varies far more than the runs differ."""
    return np.random.default_rng(0).uniform(0.1, 0.5, len(NAMES))


@pytest.fixture(scope="module")
def runs(hard):
    shifts = np.linspace(0.005, 0.015, len(NAMES))
    return [
        run("first", scored(hard, 20.0)),
        run("better", scored(hard - shifts, 20.0 + 100 * (shifts - shifts.mean()))),
        run("worse", scored(hard + shifts, 19.0)),
    ]


def column(comparison, label):
    return next(one for one in comparison.columns if one.label == label)


def test_known_differences(runs, hard):
    comparison = compare(runs)
    l1 = column(comparison, "l1")
    weights = np.array([FRAMES[name] for name in NAMES])
    first, better, worse = l1.results
    assert first.value == pytest.approx(np.average(hard, weights=weights))
    assert first.difference is None
    shift = np.average(np.linspace(0.005, 0.015, len(NAMES)), weights=weights)
    assert better.difference.value == pytest.approx(-shift)
    assert worse.difference.value == pytest.approx(shift)
    assert -0.015 <= better.difference.low < -shift < better.difference.high <= -0.005
    assert (better.verdict, worse.verdict) == ("better", "worse")
    assert [result.best for result in l1.results] == [False, True, False]
    assert better.difference.clips == len(NAMES)


def test_direction_and_what_is_not_sure(runs):
    psnr = column(compare(runs), "psnr")
    assert psnr.results[1].verdict == ""  # differs by chance only
    assert psnr.results[2].verdict == "worse"  # lower by exactly 1, and higher is better
    assert psnr.results[2].difference[:3] == pytest.approx((-1.0, -1.0, -1.0))
    assert psnr.results[2].best is False


def test_pairs_go_by_name_not_by_place(hard):
    order = np.random.default_rng(1).permutation(len(NAMES))
    shuffled = scored(hard[order] + 0.01, 20.0, [NAMES[i] for i in order])
    result = column(compare([run("a", scored(hard, 20.0)), run("b", shuffled)]), "l1").results[1]
    assert result.difference[:3] == pytest.approx((0.01, 0.01, 0.01))


def test_only_common_clips_count(hard):
    more = scored([*hard, 100.0], 20.0, [*NAMES, "extra"])
    other_length = scored(hard + 0.01, 20.0)
    clips = [replace(clip, frames=99) if clip.name == "c3" else clip for clip in other_length.clips]
    comparison = compare([run("a", more), run("b", replace(other_length, clips=clips))])
    assert comparison.clips == set(NAMES) - {"c3"}
    a, b = column(comparison, "l1").results
    keep = np.array([name != "c3" for name in NAMES])
    weights = np.array([FRAMES[name] for name in NAMES])
    assert a.value == pytest.approx(np.average(hard[keep], weights=weights[keep]))
    assert b.difference.value == pytest.approx(0.01)
    assert b.difference.clips == 11
    assert column(comparison, "l1").baselines["copy_first_frame"] == pytest.approx(a.value + 0.5)
    assert any("the 11 clips" in note and "2 of a, 1 of b" in note for note in notes(comparison))


def test_the_stated_value_stands_where_all_clips_are_common(runs):
    """A metric may weigh frames in a way of its own; its value is not computed anew."""
    stated = Summary(0.1234, 0.1, 0.2, 50, 0)
    first = replace(runs[0].evaluation, rows={**runs[0].evaluation.rows, "model": {"l1": stated}})
    assert column(compare([run("a", first), runs[1]]), "l1").results[0].value == 0.1234


def test_missing_frames_weigh_nothing():
    values = {"a": {"l1": 0.1, "psnr": 1.0}, "b": {"l1": 0.3, "psnr": 1.0}, "x": {"l1": 9.0, "psnr": 1.0}}
    lacking = outcome(values)
    lacking.clips[1].missing["model"] = {"l1": 7}
    other = outcome({name: values[name] for name in ("a", "b")})
    first = column(compare([run("a", lacking), run("b", other)]), "l1").results[0]
    assert first.value == pytest.approx((0.1 * 10 + 0.3 * 3) / 13)


def test_clips_without_a_value_are_left_out_of_the_pairs(hard):
    gaps = hard + 0.01
    gaps[2], gaps[5] = math.nan, math.inf
    result = column(compare([run("a", scored(hard, 20.0)), run("b", scored(gaps, 20.0))]), "l1").results[1]
    assert result.difference.clips == len(NAMES) - 2
    assert result.difference.value == pytest.approx(0.01)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda e: redefined(e, "l1", text="values in [0, 255]"), "text"),
        (lambda e: redefined(e, "l1", backend="net 2"), "backend"),
        (lambda e: replace(e, provenance=PLACE | {"crop": {"x": 1}}), "crop"),
        (lambda e: replace(e, provenance=PLACE | {"codec": "h264"}), "codec"),
    ],
)
def test_other_definitions_never_share_a_column(runs, change, field):
    other = run("other", change(runs[1].evaluation))
    comparison = compare([runs[0], other, runs[2]])
    one, two = column(comparison, "l1 (1)"), column(comparison, "l1 (2)")
    assert [result is not None for result in one.results] == [True, False, True]
    assert [result is not None for result in two.results] == [False, True, False]
    assert two.results[1].difference is None
    assert not two.results[1].best
    assert any(
        "l1" in note and f"differ in {field}, kept apart: (1) first, worse; (2) other" in note
        for note in notes(comparison)
    )


def test_where_a_definition_was_written_down_is_no_part_of_it(runs):
    other = run("other", redefined(runs[1].evaluation, "l1", source="another paper"))
    comparison = compare([runs[0], other])
    assert [one.label for one in comparison.columns] == ["l1", "psnr"]
    assert notes(comparison) == []


def test_metrics_over_sets_and_those_without_weights(runs):
    first, second = (with_fid(one.evaluation, value) for one, value in zip(runs, (9.0, 7.0), strict=False))
    fid = column(compare([run("a", first), run("b", second)]), "fid")
    assert [result.value for result in fid.results] == [9.0, 7.0]
    assert fid.results[1].difference is None
    assert fid.results[1].best
    lacking = replace(second, unavailable={"fid": "weights not available: x"})
    del lacking.rows["model"]["fid"]
    result = column(compare([run("a", first), run("b", lacking)]), "fid").results[1]
    assert math.isnan(result.value)
    assert result.unavailable == "weights not available: x"


def test_a_metric_that_some_or_all_runs_lack(runs):
    """A scorer leaves a metric that it cannot compute out of the definitions."""
    first = with_fid(runs[0].evaluation, 9.0)
    lacking = replace(runs[1].evaluation, unavailable={"fid": "weights not available: x", "kid": "too few"})
    comparison = compare([run("a", first), run("b", lacking), run("c", runs[2].evaluation)])
    results = column(comparison, "fid").results
    assert results[0].value == 9.0
    assert not results[0].best
    assert results[1].unavailable == "weights not available: x"
    assert results[2] is None
    assert notes(comparison) == ["computed by no run, for reasons in their reports: kid"]


def test_crop_and_codec_in_words(runs):
    place = {"crop": None, "codec": {"target": ["h264", "png"], "prediction": "none"}}
    made = [run(one.label, replace(one.evaluation, provenance=place)) for one in runs[:2]]
    key = column(compare(made), "l1").key
    assert (key.crop, key.codec) == ("not stated", "prediction: none; target: h264, png")


def test_sets_that_differ_are_told(hard):
    first = with_fid(scored(hard, 20.0), 9.0)
    second = with_fid(scored([*hard, 0.1], 20.0, [*NAMES, "extra"]), 7.0)
    told = notes(compare([run("a", first), run("b", second)]))
    assert told[-1] == "over all clips of each run, which differ: fid"


def with_fid(evaluation, value):
    """The same with a metric over sets."""
    rows = {row: dict(summaries) for row, summaries in evaluation.rows.items()}
    rows["model"]["fid"] = Summary(value, math.nan, math.nan, 100, 0)
    return replace(evaluation, definitions=[L1, PSNR, FID], rows=rows)


def test_no_clip_in_common(runs):
    other = run("other", scored(0.1, 20.0, ["x", "y"]))
    with pytest.raises(UserError, match="no clip in common"):
        compare([runs[0], other])


@pytest.fixture(scope="module")
def files(runs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("compare")
    odd = redefined(with_fid(runs[2].evaluation, 3.0), "psnr", text='<i>"other"</i>')
    lacking = replace(odd, unavailable={"fid": "weights not available: <x>"})
    write_comparison(compare([*runs[:2], run('<b>odd & "co"</b>', lacking)]), folder)
    return folder


def test_json_has_all_in_full_precision(files, runs):
    content = json.loads((files / "compare.json").read_text(), parse_constant=pytest.fail)
    assert (content["format"], content["version"]) == ("animate comparison", 1)
    assert content["first"] == "first"
    assert content["clips"] == sorted(NAMES)
    l1 = next(one for one in content["columns"] if one["label"] == "l1")
    expected = column(compare(runs), "l1").results[1]
    assert l1["results"]["better"]["difference"] == expected.difference._asdict()
    assert l1["definition"]["text"] == L1.text
    assert l1["crop"] == "none"
    psnr = next(one for one in content["columns"] if one["label"] == "psnr (2)")
    assert psnr["results"]["first"] is None


def test_csv_has_a_line_for_each_run_and_column(files, runs):
    with (files / "compare.csv").open(newline="", encoding="utf-8") as file:
        lines = {(line["column"], line["run"]): line for line in csv.DictReader(file)}
    assert len(lines) == 3 + 2 + 1 + 1  # l1; psnr under two definitions; fid
    better = lines["l1", "better"]
    expected = column(compare(runs), "l1").results[1]
    assert (float(better["value"]), float(better["difference"])) == (
        expected.value,
        expected.difference.value,
    )
    assert (better["clips"], better["best"], better["crop"]) == ("12", "True", "none")
    assert lines["l1", "first"]["difference"] == ""


def test_page(files):
    page = Page((files / "compare.html").read_text(encoding="utf-8"))
    assert outside_references(page) == []
    assert '<b>odd & "co"</b>' in page.texts
    assert '<i>"other"</i>' in page.texts
    assert "weights not available: <x>" in page.texts
    best = [cell["data-row"] for cell in page.all("td") if cell.get("class") == "best"]
    assert best[0] == "better"
    assert page.text.count("kept apart") == 1
    assert "12 clips in common" in page.text
    assert len([one for one in page.all("svg") if one.get("class") == "whisker"]) == 3
