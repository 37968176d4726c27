from __future__ import annotations

import base64
import csv
import io
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from outcomes import FID, L1, PSNR, outcome
from pages import Page, outside_references
from PIL import Image

from animate import reports
from animate.data.clips import open_clip
from animate.data.synthetic import PuppetIndex
from animate.metrics.evaluation import Summary
from animate.reports import folder as module
from animate.reports.page import report_page
from animate.reports.record import read_record
from animate.video.decode import stream

ODD = "<script>alert(1)</script> & \"q\" 'é' 日本"


@pytest.fixture(scope="module")
def evaluation():
    """Nine clips of 3 frames, the later the worse; the odd name is the second."""
    names = ["c0", ODD, *(f"c{i}" for i in range(2, 9))]
    values = {name: {"l1": 0.01 * (i + 1), "psnr": 30.0 - i} for i, name in enumerate(names)}
    values["c8"]["psnr"] = math.nan
    made = outcome(
        values,
        dict.fromkeys(names, 3),
        (L1, PSNR),
        skipped=["<gone>.mp4: cut off"],
        unavailable={"fid": "weights not available: <inception>", "kid": "weights not available: kid"},
        warnings=["an mp4 was scored: the codec changes the numbers"],
        provenance={"checkpoint": "runs/<best>.ckpt", "crop": None, "config": {"seed": {"of": "<all>"}}},
    )
    made.definitions.append(FID)
    made.rows["model"]["psnr"] = Summary(26.5, 25.25, 27.75, 24, 3)
    return made


@pytest.fixture(scope="module")
def folder(evaluation, tmp_path_factory):
    """The report, with videos of puppets; one clip was not recorded."""
    target, recordings = tmp_path_factory.mktemp("report"), tmp_path_factory.mktemp("recordings")
    truth = PuppetIndex().clips("test")[0]
    frames = torch.from_numpy(open_clip(truth).frames(range(4), (48, 48))).permute(0, 3, 1, 2) / 255
    with reports.Recorder(recordings) as recorder:
        for i, clip in enumerate(evaluation.clips):
            if clip.name != "c2":
                prediction = frames[1:] * (1 - i / 10)
                recorder.add(clip.name, frames[:1].expand(3, -1, -1, -1), frames[1:], prediction)
    reports.write(evaluation, target, recorder)
    return target


@pytest.fixture(scope="module")
def page(folder):
    return Page((folder / "report.html").read_text(encoding="utf-8"))


def decode(uri, kind):
    head, body = uri.split(",", 1)
    assert head == f"data:{kind};base64"
    return base64.b64decode(body, validate=True)


def test_all_files_are_there(folder, evaluation):
    assert sorted(path.name for path in folder.iterdir()) == [
        *("metrics.json", "per_clip.csv", "report.html", "side_by_side.mp4"),
    ]
    assert len(read_record(folder / "metrics.json").clips) == 9
    with (folder / "per_clip.csv").open(encoding="utf-8", newline="") as file:
        assert [row["clip"] for row in csv.DictReader(file)] == [clip.name for clip in evaluation.clips]


def test_the_page_holds_all_it_needs(page):
    assert outside_references(page) == []
    assert all("src" not in script for script in page.all("script"))
    policy = next(meta for meta in page.all("meta") if "content" in meta and "http-equiv" in meta)
    assert policy["content"].startswith("default-src 'none'")


def test_pictures_and_videos_decode(page, tmp_path):
    pictures = [decode(picture["src"], "image/jpeg") for picture in page.all("img")]
    videos = [decode(video["src"], "video/mp4") for video in page.all("video")]
    assert len(pictures) == len(videos) == 7  # four of the best and four of the worst, one was not recorded
    for picture in pictures:
        width, height = Image.open(io.BytesIO(picture)).convert("RGB").size
        assert width > 4 * 48
        assert 48 <= height < 60
    for video in videos:
        (tmp_path / "v.mp4").write_bytes(video)
        assert len(list(stream(tmp_path / "v.mp4"))) == 3
    assert all({"controls", "loop", "muted"} <= set(video) for video in page.all("video"))


def test_names_are_text_and_nothing_else(page):
    assert page.texts.count(ODD) == 2  # among the best clips, and in the table of clips
    assert "<gone>.mp4: cut off" in page.texts
    assert "weights not available: <inception>" in page.texts
    assert "<best>.ckpt" in page.texts
    assert '"of": "<all>"' in page.text
    assert [tag for tag, _ in page.elements].count("script") == 1  # ours


def test_the_table_says_everything(page):
    text = page.text
    for definition in (L1, PSNR, FID):
        assert definition.text in text
    assert "range 0 to ∞ · higher is better · no network · a paper" in text
    assert "range 0 to ∞ · lower is better · inception 1.0 · a paper" in text
    assert "26.50" in text
    assert "[25.25, 27.75]" in text
    assert "24 frames," in text
    assert "3 missing" in text
    assert "copy first frame" in text
    assert "weights not available: kid" in text
    assert "an mp4 was scored: the codec changes the numbers" in text
    assert {"↑", "↓"} <= set(page.texts)


def test_best_and_worst_clips(page):
    start = page.texts.index("Best clips")
    middle, end = page.texts.index("Worst clips"), page.texts.index("Distribution over clips")
    names = {"c0", ODD, *(f"c{i}" for i in range(2, 9))}
    assert [text for text in page.texts[start:middle] if text in names] == ["c0", ODD, "c2", "c3"]
    assert [text for text in page.texts[middle:end] if text in names] == ["c8", "c7", "c6", "c5"]


def test_every_clip_can_be_sorted(page):
    keys = [cell["data-key"] for cell in page.all("td") if "data-key" in cell]
    table = np.array(keys, object).reshape(9, 3)  # frames, l1, psnr
    assert [float(value) for value in table[:, 1]] == [0.01 * (i + 1) for i in range(9)]
    assert table[8, 2] == ""
    assert len(page.all("svg")) == 2  # a histogram for each metric with values per clip


def test_the_long_video(folder, page, tmp_path, monkeypatch):
    frames = [frame.image for frame in stream(folder / "side_by_side.mp4")]
    assert len(frames) == 8 * 3
    assert "side_by_side.mp4 shows the first 8 of 9 clips, at most 100 frames of each." in page.text
    last, first = (frame[-50:-6].astype(float).mean() for frame in (frames[-1], frames[0]))
    assert last < first - 10  # the prediction of the last clip is darker


def test_the_long_video_is_capped(evaluation, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MAX_CLIPS", 2)
    recordings, target = tmp_path / "recordings", tmp_path / "report"
    recordings.mkdir()
    target.mkdir()
    with reports.Recorder(recordings) as recorder:
        for name, size in (("c0", 32), ("c3", 16), ("c4", 32)):  # another size is fitted in
            one = torch.zeros(2, 3, size, size)
            recorder.add(name, one, one, one)
    reports.write(evaluation, target, recorder)
    frames = list(stream(target / "side_by_side.mp4"))
    assert len(frames) == 4
    assert "shows the first 2 of 9 clips" in (target / "report.html").read_text()


def test_few_clips_are_shown_once():
    made = outcome({"a": {"l1": 0.2, "psnr": 1.0}, "b": {"l1": 0.1, "psnr": 2.0}})
    page = Page(report_page(made, None, ""))
    assert "All clips, from best to worst" in page.texts
    start, end = (
        page.texts.index("All clips, from best to worst"),
        page.texts.index("Distribution over clips"),
    )
    assert [text for text in page.texts[start:end] if text in {"a", "b"}] == ["b", "a"]
    assert page.all("img") == page.all("video") == []


def test_ranked_by_the_first_metric_where_there_is_no_l1():
    values = {name: {"psnr": value} for name, value in {"a": 10.0, "b": 30.0, "c": math.nan}.items()}
    page = Page(report_page(outcome(values, definitions=(FID, PSNR)), None, ""))
    start, end = (
        page.texts.index("All clips, from best to worst"),
        page.texts.index("Distribution over clips"),
    )
    assert [text for text in page.texts[start:end] if text in {"a", "b", "c"}] == ["b", "a"]


def test_no_clips_and_no_recorder(tmp_path):
    made = outcome({}, definitions=(L1,), warnings=[], provenance={})
    reports.write(made, tmp_path)
    page = Page((tmp_path / "report.html").read_text())
    assert "0 clips, 0 frames" in page.text
    assert sorted(path.name for path in tmp_path.iterdir()) == ["metrics.json", "per_clip.csv", "report.html"]


def test_names_that_are_no_text_do_not_stop_the_report(tmp_path):
    reports.write(outcome({"bad\udcff": {"l1": 0.1, "psnr": 1.0}}), tmp_path)
    assert "bad\\udcff" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_the_best_of_a_line_follows_the_direction():
    made = outcome({"a": {"l1": 0.1, "psnr": 20.0}})  # copying scores half a unit more on both
    best = [
        cell["data-row"]
        for cell in Page(report_page(made, None, "")).all("td")
        if cell.get("class") == "best"
    ]
    assert best == ["model", "copy first frame"]


def test_the_previous_frame_is_no_rival():
    made = outcome({"a": {"l1": 0.1, "psnr": 20.0}})
    made.rows["previous_frame"] = {"l1": Summary(0.01, 0.01, 0.01, 10, 0)}
    best = [
        cell["data-row"]
        for cell in Page(report_page(made, None, "")).all("td")
        if cell.get("class") == "best"
    ]
    assert best == ["model", "copy first frame"]


def test_a_reason_that_several_metrics_share_is_told_once():
    reasons = {"fid": "no weights", "csim": "no back-end", "kid": "no weights"}
    page = Page(report_page(outcome({"a": {"l1": 0.1, "psnr": 20.0}}, unavailable=reasons), None, ""))
    start = page.texts.index("fid")
    assert page.texts[start : start + 5] == ["fid", "kid", "no weights", "csim", "no back-end"]
    assert page.texts.count("no weights") == 1


def test_flat_facts_stand_in_a_line():
    facts = {
        "codec": {"target": ["h264", "vp9"], "prediction": "none"},
        "annotate": {"landmarks": "dlib", "pose": None},
        "mask": {"person": None},
    }
    made = outcome({"a": {"l1": 0.1, "psnr": 20.0}}, provenance=facts)
    texts = Page(report_page(made, None, "")).texts
    assert {"target: h264, vp9; prediction: none", "landmarks: dlib", "–"} <= set(texts)


def test_a_metric_that_says_nothing_of_a_row_has_an_empty_cell():
    made = outcome({"a": {"l1": 0.1, "psnr": 20.0}})
    del made.rows["copy_first_frame"]["psnr"]
    cells = [cell for cell in Page(report_page(made, None, "")).all("td") if "data-row" in cell]
    assert [cell.get("class") for cell in cells] == ["best", None, None, "quiet"]


def test_templates_are_files_of_the_package():
    templates = Path(reports.__file__).parent / "templates"
    assert {"base.html", "report.html", "compare.html", "macros.html", "page.css", "sort.js"} <= {
        path.name for path in templates.iterdir()
    }
