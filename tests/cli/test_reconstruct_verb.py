from __future__ import annotations

import csv
import json

import numpy as np
import pytest

from animate import checkpoints
from animate.cli import main
from animate.pipelines.reconstruct import reconstruct
from animate.video.decode import stream
from animate.video.image import read_image, write_image

NAMES = ["a.mp4", "b (1), x=é.mp4", "frames", "turn.gif"]


@pytest.fixture(scope="module")
def data(tmp_path_factory, make_video):
    """A data folder of two videos, a GIF and a folder of frames."""
    root = tmp_path_factory.mktemp("data")
    test = root / "test"
    (test / "frames").mkdir(parents=True)
    make_video(test / "a.mp4", 7, 40, 40)
    make_video(test / "b (1), x=é.mp4", 5)
    make_video(test / "turn.gif", 6, 40, 40)
    for number, frame in enumerate(stream(test / "a.mp4")):
        write_image(test / "frames" / f"{number}.png", frame.image)
    return root


@pytest.fixture
def call(checkpoint, tmp_path, capfd):
    def run(data, *options, output=None):
        target = output or tmp_path / "results"
        files = ["--checkpoint", checkpoint, "--data", data, "--output", target, "--device", "cpu"]
        code = main(["reconstruct", *map(str, files), *map(str, options)])
        return code, target, capfd.readouterr()

    return run


def test_tables_and_picture(call, data, checkpoint):
    code, target, printed = call(data, "--batch-size", 3)
    assert code == 0, printed.err
    assert sorted(path.name for path in target.iterdir()) == [
        ".animate-results",
        "clips.csv",
        "grid.png",
        "metrics.json",
        "table.md",
    ]
    with (target / "clips.csv").open(encoding="utf-8") as file:
        rows = {row["name"]: row for row in csv.DictReader(file)}
    assert sorted(rows) == NAMES
    networks = checkpoints.load(checkpoint)
    frames = 0
    total = 0.0
    for name in NAMES:
        expected = [one.l1 for one in reconstruct(networks, [f.image for f in stream(data / "test" / name)])]
        assert int(rows[name]["frames"]) == len(expected)
        assert float(rows[name]["l1"]) == pytest.approx(np.mean(expected), abs=2e-6)
        frames, total = frames + len(expected), total + sum(expected)
    metrics = json.loads((target / "metrics.json").read_text())
    assert (metrics["clips"], metrics["frames"], metrics["skipped"]) == (4, frames, [])
    assert metrics["l1"] == pytest.approx(total / frames, abs=1e-6)
    assert f"L1 {metrics['l1']:.5f}" in printed.out
    table = (target / "table.md").read_text()
    assert all(f"| {name} |" in table for name in NAMES)
    grid = read_image(target / "grid.png")
    assert grid.shape[0] > 4 * 32
    assert grid.shape[1] > 4 * 32


def test_frames_are_kept_without_loss(call, data, checkpoint):
    _, target, _ = call(data, "--frames", "png", "--limit", 1)
    networks = checkpoints.load(checkpoint)
    expected = reconstruct(networks, [f.image for f in stream(data / "test" / "a.mp4")])
    kept = sorted((target / "frames" / "a.mp4").iterdir())
    assert len(kept) == 7
    for path, frame in zip(kept, expected, strict=True):
        assert np.abs(read_image(path).astype(int) - frame.prediction).max() <= 1
    assert [path.name for path in (target / "frames").iterdir()] == ["a.mp4"]


def test_a_single_video_a_plain_folder_and_a_list(call, data, tmp_path):
    assert call(data / "test" / "a.mp4", output=tmp_path / "one")[0] == 0
    assert call(data / "test", output=tmp_path / "plain")[0] == 0
    list_file = tmp_path / "list.csv"
    list_file.write_text(f"path,split\n{data / 'test' / 'a.mp4'},test\n")
    code, target, _ = call(list_file, "--frames", "png", output=tmp_path / "list")
    assert code == 0
    l1 = [json.loads((tmp_path / name / "metrics.json").read_text())["l1"] for name in ("one", "list")]
    assert l1[0] == l1[1]
    assert json.loads((tmp_path / "plain" / "metrics.json").read_text())["clips"] == 4
    assert len(list(target.rglob("*.png"))) == 8  # seven frames of the clip and the grid, all inside


def test_a_broken_clip_is_named_skipped_and_counted(call, tmp_path, make_video):
    folder = tmp_path / "clips"
    folder.mkdir()
    for number in range(11):
        make_video(folder / f"{number:02d}.gif", 2, 32, 32)
    frames = folder / "zz"
    frames.mkdir()
    for number in range(3):
        write_image(frames / f"{number}.png", np.zeros((32, 32, 3), np.uint8))
    whole = (frames / "2.png").read_bytes()
    (frames / "2.png").write_bytes(whole[: len(whole) // 2])  # found only when it is decoded
    (folder / "empty.mp4").touch()  # found when the folder is indexed
    code, target, printed = call(folder, "--frames", "png", "--batch-size", 1)
    assert code == 0
    assert printed.err.count("skipped zz: ") == printed.err.count("skipped empty.mp4: ") == 1
    assert printed.err.count("empty.mp4") == 1
    assert "2 clips skipped" in printed.out
    metrics = json.loads((target / "metrics.json").read_text())
    assert metrics["clips"] == 11
    assert [told.partition(":")[0] for told in metrics["skipped"]] == ["empty.mp4", "zz"]
    assert not (target / "frames" / "zz").exists()


@pytest.mark.parametrize(
    ("data_name", "told"), [("missing", "missing"), ("empty", "empty"), ("text.mp4", "text.mp4")]
)
def test_nothing_to_measure(call, tmp_path, data_name, told):
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.mp4").write_text("no video\n" * 100)
    code, target, printed = call(tmp_path / data_name)
    assert code == 2
    assert printed.err.splitlines()[-1].startswith("animate: error: ")
    assert told in printed.err.splitlines()[-1]
    assert "Traceback" not in printed.err
    assert not target.exists()
    assert not list(tmp_path.glob(".*"))


def test_an_existing_folder(call, data, tmp_path):
    target = tmp_path / "results"
    target.mkdir()
    assert call(data, "--limit", 1)[0] == 0  # an empty folder is used
    before = (target / "metrics.json").read_bytes()
    code, _, printed = call(data, "--limit", 2)
    assert code == 2
    assert "--overwrite" in printed.err
    assert (target / "metrics.json").read_bytes() == before
    assert call(data, "--limit", 2, "--overwrite")[0] == 0
    assert json.loads((target / "metrics.json").read_text())["clips"] == 2
    assert [path.name for path in tmp_path.iterdir()] == ["results"]


def test_a_folder_of_something_else_is_never_replaced(call, data, tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "precious.jpg").touch()
    code, _, printed = call(data, "--limit", 1, "--overwrite", output=photos)
    assert code == 2
    assert "photos" in printed.err
    assert (photos / "precious.jpg").exists()
    assert call(data, output=photos / "precious.jpg")[0] == 2
    assert call(data, output=photos / "precious.jpg" / "results")[0] == 2
