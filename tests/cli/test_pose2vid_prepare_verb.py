"""`animate pose2vid prepare` and `check`: what a user types, sees and gets wrong."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from animate.cli import main
from animate.cli.pose2vid_prepare import size
from animate.data.index import FolderIndex
from animate.data.synthetic import PuppetIndex
from animate.video.encode import VideoWriter


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """Two puppets dancing, and a video of nobody."""
    folder = tmp_path_factory.mktemp("videos")
    index = PuppetIndex(kinds=["person"], size=128, frames=40, seed=3)
    for name, clip in zip(("me", "dance"), index.clips("train"), strict=False):
        frames = clip.reader.open(clip).frames(range(20), (128, 160))
        with VideoWriter(folder / f"{name}.mp4", 25) as writer:
            for frame in frames:
                writer.write(frame)
    with VideoWriter(folder / "nobody.mp4", 25) as writer:
        for number in range(8):
            writer.write(np.full((64, 64, 3), 100 + number, np.uint8))
    return folder


def prepare(video, output, *more):
    arguments = ["--video", video, "--output", output, "--pose-backend", "puppet_person", *more]
    return main(["pose2vid", "prepare", *map(str, arguments)])


@pytest.fixture(scope="module")
def prepared(videos, tmp_path_factory):
    folder = tmp_path_factory.mktemp("sets")
    assert prepare(videos / "me.mp4", folder / "me", "--size", "100x128") == 0
    assert prepare(videos / "dance.mp4", folder / "dance", "--size", "64", "--role", "source") == 0
    return folder


def test_prepare_makes_a_data_set_and_tells_what_is_in_it(videos, tmp_path, capsys):
    assert prepare(videos / "me.mp4", tmp_path / "me", "--size", "60", "--smooth", "median") == 0
    out = capsys.readouterr().out
    assert f"{tmp_path / 'me'}: 20 frames 64x64, 25 per second (16 train, 4 test)" in out
    assert "60x60 was brought up to multiples of 32" in out
    assert "poses: puppet_person, puppet_person; part of the video: 16,0,128,128" in out
    assert "animate pose2vid check" in out
    assert FolderIndex(tmp_path / "me").clips("train")[0].size == (64, 64)
    assert (tmp_path / "me/contact_sheet.png").is_file()
    assert prepare(videos / "me.mp4", tmp_path / "me", "--size", "60", "--smooth", "median") == 0
    assert "made before of the same video" in capsys.readouterr().out
    assert prepare(videos / "me.mp4", tmp_path / "me", "--size", "32") == 2
    assert "is not empty" in capsys.readouterr().err
    assert prepare(videos / "me.mp4", tmp_path / "me", "--size", "32", "--overwrite") == 0


def test_the_folders_of_a_data_set_are_made_with_it_and_only_then(videos, tmp_path):
    assert prepare(videos / "nobody.mp4", tmp_path / "new/data/nobody") == 2
    assert prepare(videos / "me.mp4", tmp_path / "new/data/me", "--crop", "0,0,999,9") == 2
    assert list(tmp_path.iterdir()) == []
    assert prepare(videos / "dance.mp4", tmp_path / "new/data/me", "--size", "64", "--role", "source") == 0
    assert [path.name for path in (tmp_path / "new/data").iterdir()] == ["me"]


def test_the_truth_of_puppets_is_found(prepared):
    """A whole chain: drawn joints, their markers found in the video, cut, and read as training reads them."""
    clip = FolderIndex(prepared / "dance").clips("test")[0]
    truth = clip.reader.open(clip).truth([0, 10, 19], None)
    drawn = PuppetIndex(kinds=["person"], size=128, frames=40, seed=3).clips("train")[1]
    known = drawn.reader.open(drawn).truth([0, 10, 19], (128, 160))
    expected = known["points"].copy()  # the middle 128 of 160 pixels, brought to 64
    expected[..., 0] = (((expected[..., 0] + 1) / 2 * 159 + 0.5 - 16) / 2 - 0.5) / 63 * 2 - 1
    expected[..., 1] = (((expected[..., 1] + 1) / 2 * 127 + 0.5) / 2 - 0.5) / 63 * 2 - 1
    both = truth["visible"] & known["visible"]
    assert both.mean() > 0.8
    assert np.abs(truth["points"] - expected)[both].max() < 2 * 1.0 / 63


def test_check_reports_in_words_numbers_and_pictures(prepared, tmp_path, capsys):
    code = main(["pose2vid", "check", str(prepared / "me"), "--source", str(prepared / "dance")])
    out = capsys.readouterr().out
    assert "frames: 20, 0.8 s" in out
    assert "a usable pose in 100.0%" in out
    assert "20 frames are few" in out
    assert f"{prepared / 'me'}: not good enough" in out
    assert code == 1
    report = json.loads((prepared / "me/check.json").read_text())
    assert report["verdict"] == "not good enough"
    assert (report["frames"], report["source_frames"]) == (20, 20)
    assert cv2.imread(str(prepared / "me/check.png")).shape[1] > 1000
    sheet, numbers = tmp_path / "a.png", tmp_path / "a.json"
    assert main(
        ["pose2vid", "check", str(prepared / "dance"), "--sheet", str(sheet), "--json", str(numbers)]
    ) in (0, 1)
    assert sheet.is_file()
    assert json.loads(numbers.read_text())["role"] == "source"


def test_checked_data_sets_still_load(prepared):
    assert FolderIndex(prepared / "me").ignored == []


BAD = {
    "no video": (["--video", "none.mp4"], "no such file"),
    "no person": (["--video", "nobody.mp4"], "in none of 8 frames is a person, by puppet_person"),
    "crop": (["--crop", "left"], "--crop left: give centre, person, or x,y,width,height"),
    "crop outside": (["--crop", "0,0,999,9"], "does not fit"),
    "size": (["--size", "big"], "big is not HEIGHTxWIDTH"),
    "poses size": (["--poses-size", "64x64"], "--poses-size goes with --poses"),
    "folder": (["--output", "me.mp4/data/me"], "me.mp4 is no folder"),
    "file": (["--output", "me.mp4"], "is a file"),
    "smooth": (["--smooth", "lots"], "invalid choice: 'lots'"),
    "range": (["--start", "30"], "has frames 0 to 19; it cannot start at 30"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_line(videos, tmp_path, capsys, monkeypatch, name):
    monkeypatch.chdir(videos)
    more, complaint = BAD[name]
    assert prepare("me.mp4", tmp_path / "out", *more) == 2
    err = capsys.readouterr().err
    assert complaint in err
    assert err.startswith("animate: error: ")
    assert err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_checking_what_is_no_data_set(tmp_path, capsys):
    assert main(["pose2vid", "check", str(tmp_path)]) == 2
    assert "no manifest.json in it" in capsys.readouterr().err


def test_exchanged_data_sets_are_told(prepared, capsys):
    assert main(["pose2vid", "check", str(prepared / "dance"), "--source", str(prepared / "me")]) == 2
    assert "dance was prepared as the source, and is given as the target" in capsys.readouterr().err
    assert main(["pose2vid", "check", str(prepared / "me"), "--source", str(prepared / "me")]) == 2
    assert "me was prepared as the target, and is given as the source" in capsys.readouterr().err


def test_a_full_disk_is_told_and_the_work_is_kept(videos, tmp_path, animate):
    """Files of more than 20 kB cannot be written; what was done before is there for the next run."""
    command = ["pose2vid", "prepare", "--video", videos / "me.mp4", "--output", tmp_path / "me"]
    command += ["--pose-backend", "puppet_person", "--size", "128"]
    full = animate(*command, limit=20_000)
    assert full.returncode == 2
    assert full.stderr.count("\n") == 1
    assert "cannot be written" in full.stderr
    assert not (tmp_path / "me").exists()
    assert list((tmp_path / ".me.preparing/poses").glob("*.npz"))
    assert not list((tmp_path / ".me.preparing/frames").iterdir())
    assert animate(*command).returncode == 0
    assert [path.name for path in tmp_path.iterdir()] == ["me"]


def test_sizes():
    assert size("512") == (512, 512)
    assert size("256X128") == (256, 128)
