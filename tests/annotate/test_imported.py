"""Poses and mattes of other programs into sidecars: which file belongs to which clip, and what it says."""

from __future__ import annotations

import json

import numpy as np
import pytest

from animate.annotate.find import find_clips
from animate.annotate.imported import IMPORTERS, ImportJob, find_source
from animate.cli import main
from animate.errors import UserError
from animate.sidecars import Sidecar
from animate.video.encode import VideoWriter
from animate.video.image import write_image

SIZE, COUNT = (48, 64), 5
ANYTHING = frozenset({".json", ".npz"})


def write_clip(path, count=COUNT):
    path.parent.mkdir(parents=True, exist_ok=True)
    with VideoWriter(path, 25) as writer:
        for _ in range(count):
            writer.write(np.full((*SIZE, 3), 90, np.uint8))
    return path


def openpose(place, missing=()):
    """BODY_25 whose points all lie at (place + frame, 10) pixels; no person in some frames."""

    def people(number):
        return [{"pose_keypoints_2d": [place + number, 10, 0.8] * 25}] if number not in missing else []

    return json.dumps([{"people": people(number)} for number in range(COUNT)])


@pytest.fixture
def run(tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def annotate(*arguments):
        code = main(["annotate", *map(str, arguments), "--workers", "1"])
        return code, capfd.readouterr()

    return annotate


def columns(path):
    """Pixel columns of the first point, NaN where it was not found."""
    with Sidecar(path) as sidecar:
        assert sidecar.header.layout == "body25"
        points, found = sidecar.array("points")[:, 0, 0], sidecar.array("found")[:, 0]
    return np.where(found, (points + 1) / 2 * (SIZE[1] - 1), np.nan)


def test_each_clip_gets_the_poses_of_its_name(run, tmp_path):
    for number, name in enumerate(("train/a.mp4", "train/b.mp4", "test/a.mp4")):
        write_clip(tmp_path / "data" / name, COUNT)
        poses = tmp_path / "poses" / name.replace(".mp4", "_keypoints.json")
        poses.parent.mkdir(parents=True, exist_ok=True)
        poses.write_text(openpose(10 * number, missing=[1]))
    arguments = ("pose", tmp_path / "data", "--import", tmp_path / "poses", "--output", "beside")
    code, printed = run(*arguments)
    assert code == 0, printed.err
    assert "pose by imported 1: found in 12 of 15 frames" in printed.out
    for number, name in enumerate(("train/a.mp4", "train/b.mp4", "test/a.mp4")):
        got = columns(tmp_path / "data" / f"{name}.pose.imported.npz")
        np.testing.assert_allclose(got, 10 * number + np.array([0, np.nan, 2, 3, 4]), atol=1e-4)
    assert "done before: 3 clips" in run(*arguments)[1].out
    (tmp_path / "poses" / "train" / "b_keypoints.json").write_text(openpose(30))
    again = run(*arguments)[1].out
    assert "done before: 2 clips" in again
    assert "made anew: train/b.mp4: " in again
    assert columns(tmp_path / "data" / "train" / "b.mp4.pose.imported.npz")[1] == pytest.approx(31, abs=1e-4)


def test_mattes_of_a_video_and_of_pictures(run, tmp_path):
    clip = write_clip(tmp_path / "clip.mp4")
    with VideoWriter(tmp_path / "matte.mp4", 25) as writer:
        for number in range(COUNT):
            writer.write(np.full((*SIZE, 3), 50 * number, np.uint8))
    code, printed = run("mattes", clip, "--import", tmp_path / "matte.mp4", "--output", tmp_path / "out")
    assert code == 0, printed.err
    assert "found in 2 of 5 frames" in printed.out  # those above one half
    (path,) = (tmp_path / "out").glob("*.mattes.imported.npz")
    with Sidecar(path) as sidecar:
        for number in range(COUNT):
            np.testing.assert_allclose(sidecar.matte(number), 50 * number / 255, atol=0.02)
    white = np.full((*SIZE, 3), 255, np.uint8)
    pictures = tmp_path / "mattes" / "clip"
    pictures.mkdir(parents=True)
    for number in range(COUNT - 1):
        write_image(pictures / f"{number}.png", white)
    code, printed = run("mattes", clip, "--import", tmp_path / "mattes", "--output", tmp_path / "out")
    assert code == 2
    assert "has 4 frames and its clip has 5; they must correspond" in printed.err
    write_image(pictures / "4.png", white)
    code, printed = run("mattes", clip, "--import", tmp_path / "mattes", "--output", tmp_path / "out")
    assert code == 0, printed.err
    assert "found in 5 of 5 frames" in printed.out
    assert "made anew: clip.mp4" in printed.out


def test_which_file_belongs_to_a_clip(tmp_path):
    clip = find_clips(write_clip(tmp_path / "anna.mp4", 1)).clips[0]
    source = tmp_path / "files"
    source.mkdir()

    def found(only=False):
        return find_source(source, clip, only, ANYTHING).relative_to(tmp_path).as_posix()

    with pytest.raises(UserError, match=r"nothing in it belongs to anna\.mp4; name it anna\.\* there"):
        found()
    assert found(only=True) == "files"
    for name in ("anna.txt", "annabel.json", "bob.json"):
        (source / name).touch()
    assert found(only=True) == "files"
    (source / "anna_2.json").touch()
    assert found() == "files/anna_2.json"
    (source / "anna_3.json").touch()
    with pytest.raises(UserError, match=r"several belong to anna\.mp4: anna_2\.json, anna_3\.json"):
        found()
    (source / "anna").mkdir()
    assert found() == "files/anna"
    with pytest.raises(UserError, match=r"is one file and not a folder with one for anna\.mp4"):
        find_source(source / "bob.json", clip, False, ANYTHING)
    assert find_source(source / "bob.json", clip, True, ANYTHING) == source / "bob.json"


def test_a_clip_without_poses_does_not_stop_the_others(run, tmp_path):
    for name in ("a.mp4", "b.mp4"):
        write_clip(tmp_path / "data" / name)
    (tmp_path / "poses").mkdir()
    (tmp_path / "poses" / "a.json").write_text(openpose(3))
    code, printed = run("pose", tmp_path / "data", "--import", tmp_path / "poses")
    assert code == 1
    assert "found in 5 of 5 frames (100.0%) of 1 clip\n" in printed.out
    assert f"not annotated: b.mp4: {tmp_path / 'poses'}: nothing in it belongs to b.mp4" in printed.out


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is not JSON"),
        ("[]", "no frame has a person in it"),
        (
            json.dumps([{"people": [{"pose_keypoints_2d": [1, 1, 1] * 25}]}] * 6),
            "6 frames and the video has 5",
        ),
    ],
)
def test_what_does_not_fit_leaves_nothing(run, tmp_path, content, message):
    clip = write_clip(tmp_path / "a.mp4")
    (tmp_path / "poses.json").write_text(content)
    code, printed = run("pose", clip, "--import", tmp_path / "poses.json", "--output", "beside")
    assert code == 2
    assert message in printed.err
    assert len(printed.err.splitlines()) == 1
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == ["a.mp4", "poses.json"]


def test_only_poses_and_mattes_are_imported(tmp_path):
    assert sorted(IMPORTERS) == ["mattes", "pose"]
    with pytest.raises(UserError, match="faces cannot be imported, only pose and mattes"):
        ImportJob("faces", tmp_path, only=True)()
