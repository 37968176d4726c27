"""Tables of backgrounds: groups, intervals, and what the files hold."""

from __future__ import annotations

import csv
import json
import math

import numpy as np
import pytest

from animate.metrics.bootstrap import mean_interval, paired_difference
from animate.reports import backgrounds as reports
from animate.reports.backgrounds import ALL, COMPLEXITY, Backgrounds, Scene
from animate.video.image import read_image

NAN = math.nan


def scenes(count):
    """Complexity falls with the number; ``b`` is better than ``a`` by what differs from scene to scene."""
    rng = np.random.default_rng(0)
    made = []
    for number in range(count):
        a, better = 20 + rng.normal(), rng.uniform(0.5, 1.5)
        rows = {
            "a": {"psnr_hole": a, "one_minus_ms_ssim": 0.2, "flicker": NAN},
            "b": {"psnr_hole": a + better, "one_minus_ms_ssim": 0.1, "flicker": NAN, "matte_iou": 0.5},
        }
        made.append(Scene(f"scene {number:03d}", {COMPLEXITY: 1 - number / 1000, "entropy": 2.0}, rows))
    return made


def comparison(count, **settings):
    return Backgrounds(scenes(count), "a", {"seed": 3}, **settings)


def values(some, row, name="psnr_hole"):
    return np.array([scene.rows[row][name] for scene in some])


def test_scenes_are_split_into_thirds_by_complexity():
    groups = comparison(32).groups()
    assert list(groups) == [ALL, "plain", "middle", "complex"]
    assert [len(some) for some in groups.values()] == [32, 11, 11, 10]
    assert [scene.name for scene in groups["plain"]] == [f"scene {n:03d}" for n in range(31, 20, -1)]
    spans = [[scene.facts[COMPLEXITY] for scene in groups[name]] for name in ("plain", "middle", "complex")]
    assert max(spans[0]) < min(spans[1])
    assert max(spans[1]) < min(spans[2])
    assert list(comparison(29).groups()) == [ALL], "too few stand one by one"


def test_scenes_of_one_complexity_are_split_by_name_whatever_their_order():
    same = [scene._replace(facts={COMPLEXITY: 0.5}) for scene in scenes(30)]
    forward, backward = (Backgrounds(some, "a", {}).groups() for some in (same, same[::-1]))
    assert forward["plain"] == backward["plain"]


def test_intervals_are_the_bootstraps_over_scenes():
    some = scenes(40)
    a, b, ones = values(some, "a"), values(some, "b"), np.ones(40)
    assert reports.mean(some, "a", "psnr_hole") == mean_interval(a, ones)
    found = reports.difference(some, "b", "a", "psnr_hole")
    assert found == paired_difference(b, a, ones)
    assert found.low < found.value < found.high
    assert found.value == pytest.approx((b - a).mean())


def test_where_a_metric_is_not_defined_it_does_not_count():
    some = scenes(40)
    holed = [
        scene._replace(rows={**scene.rows, "a": {"psnr_hole": NAN}}) if number < 5 else scene
        for number, scene in enumerate(some)
    ]
    assert reports.mean(holed, "a", "psnr_hole") == mean_interval(values(some[5:], "a"), np.ones(35))
    both = reports.difference(holed, "b", "a", "psnr_hole")
    assert both == paired_difference(values(some[5:], "b"), values(some[5:], "a"), np.ones(35))
    assert math.isnan(reports.mean(some, "a", "matte_iou").value)
    assert reports.mean(some, "b", "matte_iou").value == 0.5


def test_few_scenes_have_no_intervals():
    some = scenes(29)
    for found in (reports.mean(some, "a", "psnr_hole"), reports.difference(some, "b", "a", "psnr_hole")):
        assert math.isfinite(found.value)
        assert math.isnan(found.low)
        assert math.isnan(found.high)


def test_a_table_has_a_line_for_each_row_and_a_column_for_what_is_defined():
    made = comparison(3)
    head, *lines = reports.table(made, ALL)
    assert head == ["", "psnr_hole dB ↑", "one_minus_ms_ssim ↓", "matte_iou ↑"], "flicker is nowhere defined"
    psnr = [f"{values(made.scenes, row).mean():.2f}" for row in "ab"]
    assert lines == [["a", psnr[0], "0.2000", "–"], ["b", psnr[1], "0.1000", "0.5000"]]


def test_the_page_has_every_group_the_differences_and_the_notes():
    page = reports.markdown(comparison(90, notes=["first", "second"]))
    heads = [line for line in page.splitlines() if line.startswith("##")]
    assert heads == [
        "## all: 90 scenes, gradient_energy 0.911 to 1.000",
        "## plain: 30 scenes, gradient_energy 0.911 to 0.940",
        "## middle: 30 scenes, gradient_energy 0.941 to 0.970",
        "## complex: 30 scenes, gradient_energy 0.971 to 1.000",
        "## minus a",
    ]
    assert page.endswith("- first\n- second\n")
    minus = page.split("## minus a")[1]
    found = reports.difference(scenes(90), "b", "a", "psnr_hole")
    assert f"| b | +{found.value:.3f} [+{found.low:.3f}, +{found.high:.3f}] |" in minus
    assert "−0.1000" in minus
    assert "| a |" not in minus
    assert "[" in page.split("##")[2], "groups of thirty have intervals"
    assert "## minus" not in reports.markdown(comparison(29))


def test_bars_in_names_do_not_end_a_cell():
    some = [scene._replace(rows={"a|b": scene.rows["a"]}) for scene in scenes(2)]
    page = reports.markdown(Backgrounds(some, "a|b", {}))
    assert "| a\\|b | " in page


def test_files(tmp_path):
    made = comparison(30, notes=["a note"])
    reports.write(made, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clips.csv", "comparison.json", "table.md"]
    assert (tmp_path / "table.md").read_text(encoding="utf-8") == reports.markdown(made)
    with (tmp_path / "clips.csv").open(newline="", encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == 60
    metrics = ["psnr_hole", "one_minus_ms_ssim", "matte_iou"]
    assert list(lines[0]) == ["scene", "gradient_energy", "entropy", "row", *metrics]
    for line in lines:
        scene = next(one for one in made.scenes if one.name == line["scene"])
        assert float(line["gradient_energy"]) == scene.facts[COMPLEXITY]
        assert float(line["psnr_hole"]) == scene.rows[line["row"]]["psnr_hole"]
        assert line["matte_iou"] == ("" if line["row"] == "a" else "0.5")


def test_the_record_is_strict_json(tmp_path):
    made = comparison(30, notes=["a note"])
    reports.write(made, tmp_path)

    def refuse(constant):
        raise AssertionError(constant)

    text = (tmp_path / "comparison.json").read_text(encoding="ascii")
    record = json.loads(text, parse_constant=refuse)
    assert record["provenance"] == {"seed": 3}
    assert record["notes"] == ["a note"]
    assert list(record["groups"]) == [ALL, "plain", "middle", "complex"]
    all_of_b, plain_a = record["groups"][ALL]["b"], record["groups"]["plain"]["a"]
    value, low, high = mean_interval(values(made.scenes, "b"), np.ones(30))
    assert all_of_b["psnr_hole"] == {"value": value, "low": low, "high": high}
    expected = paired_difference(values(made.scenes, "b"), values(made.scenes, "a"), np.ones(30))
    assert all_of_b["psnr_hole_minus_a"] == expected._asdict()
    assert plain_a["matte_iou"] == {"value": None, "low": None, "high": None}
    assert plain_a["psnr_hole"]["low"] is None, "ten scenes"


def test_best_typical_and_worst_scenes_are_chosen_among_those_with_a_hole():
    levels = [5.0, 30.0, NAN, 10.0, 25.0, 15.0, 20.0, 35.0, 1.0, NAN]
    some = [Scene(str(n), {COMPLEXITY: 0.0}, {"a": {"psnr_hole": one}}) for n, one in enumerate(levels)]
    chosen = reports.chosen(Backgrounds(some, "a", {}), "a")
    assert chosen == {"best": [7, 1, 4, 6], "typical": [4, 6, 5, 3], "worst": [5, 3, 0, 8]}
    assert reports.chosen(Backgrounds(some[:1], "a", {}), "a") == {"best": [0], "typical": [0], "worst": [0]}
    assert reports.chosen(Backgrounds(some[2:3], "a", {}), "a") == {}


def test_a_sheet_shows_scenes_below_each_other(tmp_path):
    colours = [(200, 0, 0), (0, 200, 0), (0, 0, 200)]
    pictures = [
        {name: np.full((128, 128, 3), colour, np.uint8) for name in ("input", "truth")} for colour in colours
    ]
    reports.write_sheet(tmp_path / "best.png", pictures)
    sheet = read_image(tmp_path / "best.png").reshape(-1, 3)
    for colour in colours:
        assert (sheet == colour).all(1).sum() == 2 * 128 * 128
