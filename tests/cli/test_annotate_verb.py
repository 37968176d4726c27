"""`animate annotate` from end to end, on drawn puppets."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from animate.cli import main
from animate.data.export import export
from animate.data.synthetic import PuppetIndex
from animate.sidecars import Sidecar
from animate.video.image import read_image, write_image

FRAMES = 6


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """A data folder of three puppet clips, and the index that drew them."""
    index = PuppetIndex(train_clips=2, val_clips=1, test_clips=1, frames=FRAMES, size=128, seed=1)
    folder = tmp_path_factory.mktemp("drawn") / "puppets"
    export(index, folder, ("train", "test"), (128, 128), "")
    return folder, index


@pytest.fixture
def annotate(tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def run(*arguments):
        code = main(["annotate", *map(str, arguments), "--workers", "1"])
        return code, capfd.readouterr()

    return run


def sidecars(folder):
    return sorted(folder.rglob("*.landmarks.puppet.npz"))


def test_joints_of_puppets_are_found_where_they_are(annotate, drawn, tmp_path):
    folder, index = drawn
    code, printed = annotate("landmarks", folder, "--backend", "puppet", "--output", tmp_path / "out")
    assert code == 0, printed.err
    assert "found in 18 of 18 frames (100.0%) of 3 clips" in printed.out
    assert len(sidecars(tmp_path / "out")) == 3
    errors = []
    for path in sidecars(tmp_path / "out"):
        with Sidecar(path) as sidecar:
            points, found = sidecar.array("points"), sidecar.array("found")
        everybody = [clip.reader.open(clip).truth(range(FRAMES), None) for clip in index.clips("train")]
        everybody += [clip.reader.open(clip).truth(range(FRAMES), None) for clip in index.clips("test")]
        distances = [np.abs(points - truth["points"])[found].max() for truth in everybody]
        errors.append(min(distances) * 127 / 2)  # of the clip that it belongs to
    assert max(errors) <= 1.5  # pixels


def test_the_sheet_is_a_picture_and_its_place_is_told(annotate, drawn, tmp_path):
    _, printed = annotate("landmarks", drawn[0], "--backend", "puppet", "--sheet", tmp_path / "sheet.png")
    assert f"look at {tmp_path / 'sheet.png'}" in printed.out
    sheet = read_image(tmp_path / "sheet.png")
    assert sheet.shape[0] > 3 * 200
    green = (np.abs(sheet.astype(int) - (60, 220, 90)) < 40).all(axis=2)  # lines are smooth at their edges
    assert green.sum() > 1000  # limbs are drawn
    _, printed = annotate("landmarks", drawn[0], "--backend", "puppet")
    usual = tmp_path / "cache" / "animate" / "annotations" / "sheets" / "puppets.landmarks.puppet.png"
    assert f"look at {usual}" in printed.out
    assert usual.is_file()


def test_done_before_and_overwrite(annotate, drawn, tmp_path):
    arguments = ("landmarks", drawn[0], "--backend", "puppet", "--output", tmp_path / "out")
    annotate(*arguments)
    times = [path.stat().st_mtime_ns for path in sidecars(tmp_path / "out")]
    code, printed = annotate(*arguments)
    assert code == 0
    assert "done before: 3 clips" in printed.out
    assert [path.stat().st_mtime_ns for path in sidecars(tmp_path / "out")] == times
    _, printed = annotate(*arguments, "--overwrite")
    assert "done before" not in printed.out
    assert [path.stat().st_mtime_ns for path in sidecars(tmp_path / "out")] != times


def test_identity_pose_and_persons(annotate, drawn, tmp_path):
    clip = next(iter(sorted((drawn[0] / "test").iterdir())))
    for kind in ("identity", "pose", "persons"):
        code, printed = annotate(kind, clip, "--backend", "puppet")
        assert code == 0, printed.err
        assert f"{kind} by puppet" in printed.out
        assert f"found in {FRAMES} of {FRAMES} frames" in printed.out


@pytest.fixture
def copied(drawn, tmp_path):
    """The same folder, with a frame and a clip that are broken."""
    import shutil

    folder = tmp_path / "copy"
    shutil.copytree(drawn[0], folder)
    clip = next(path for path in sorted((folder / "train").iterdir()) if path.is_dir())
    sorted(clip.glob("*.png"))[2].write_bytes(b"damaged")
    (folder / "train" / "cut.mp4").write_bytes(b"\0\0\0\x18ftypmp42")
    return folder, clip.name


def test_broken_clips_and_frames_are_named(annotate, copied):
    folder, damaged = copied
    code, printed = annotate("landmarks", folder, "--backend", "puppet", "--output", "beside")
    assert code == 1
    assert "not annotated: train/cut.mp4: is an MP4 or MOV file without an index" in printed.out
    assert f"broken frames: train/{damaged}: 2 (" in printed.out
    assert "found in 17 of 18 frames" in printed.out
    assert (folder / "train" / f"{damaged}.landmarks.puppet.npz").is_file()


def test_a_changed_clip_is_annotated_anew_and_said_so(annotate, copied):
    folder, damaged = copied
    arguments = ("landmarks", folder / "train" / damaged, "--backend", "puppet", "--output", "beside")
    annotate(*arguments)
    frames = sorted((folder / "train" / damaged).glob("*.png"))
    frames[2].write_bytes(frames[1].read_bytes())
    code, printed = annotate(*arguments)
    assert code == 0
    assert f"made anew: {damaged}: " in printed.out
    assert "the clip has changed since" in printed.out
    assert "broken" not in printed.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("landmarks", "{here}/still.png", "--backend", "nobody"), "no back-end 'nobody'"),
        (("smiles", "{here}", "--backend", "puppet"), "invalid choice"),
        (("landmarks", "{here}/none", "--backend", "puppet"), "no such file or folder"),
        (("landmarks", "{here}"), "either --backend NAME or --import FILES"),
        (
            ("pose", "{here}", "--backend", "puppet", "--import", "{here}"),
            "either --backend NAME or --import",
        ),
        (("faces", "{here}/still.png", "--import", "{here}"), "cannot be imported, only pose and mattes"),
        (("pose", "{here}/still.png", "--import", "{here}/no"), "{here}/no: no such file or folder"),
        (("landmarks", "{here}", "--backend", "puppet", "--sheet", "{here}/no/s.png"), "does not exist"),
        (
            ("pose", "{here}/still.png", "--backend", "puppet", "--sheet", "{here}/s.mp4"),
            "end the name in .png",
        ),
        (("landmarks", "{here}/empty.mp4", "--backend", "puppet"), "is empty (0 bytes)"),
        (
            ("landmarks", "{here}/bad", "--backend", "puppet"),
            "none of its 1 clips can be read; the first: a.mp4",
        ),
        (
            ("landmarks", "{here}/nothing", "--backend", "puppet"),
            "no video, folder of frames or picture in it",
        ),
        (("pose", "{here}/cut.png", "--backend", "puppet"), "pose: cut.png: "),
        (("pose", "{here}/still.png", "--backend", "puppet", "--output", "{here}/still.png"), "File exists"),
        (
            ("pose", "{here}/still.png", "--backend", "puppet", "--output", "/proc/none"),
            "/proc/none cannot be",
        ),
        (
            ("pose", "{here}", "--backend", "puppet", "--output", "{here}/out"),
            "name a folder outside, or beside",
        ),
    ],
)
def test_bad_input_is_one_line(annotate, tmp_path, arguments, message):
    for folder in ("bad", "nothing"):
        (tmp_path / folder).mkdir()
    for empty in ("empty.mp4", "bad/a.mp4"):
        (tmp_path / empty).touch()
    write_image(tmp_path / "still.png", np.zeros((32, 48, 3), np.uint8))
    content = (tmp_path / "still.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(content[: len(content) // 2])
    code, printed = annotate(*(part.format(here=tmp_path) for part in arguments))
    assert code == 2
    assert message.format(here=tmp_path) in printed.err
    assert len(printed.err.splitlines()) == 1
    assert not sidecars(tmp_path)


@pytest.mark.parametrize("place", [("--output", "out"), ("--sheet", "out/sheet.png")])
def test_a_folder_that_cannot_be_written_is_told_before_any_work(
    annotate, drawn, tmp_path, monkeypatch, place
):
    out = tmp_path / "out"
    out.mkdir()
    allowed = os.access  # root may write anywhere, so that permissions alone would test nothing
    monkeypatch.setattr(os, "access", lambda path, mode: allowed(path, mode) and Path(path) != out)
    code, printed = annotate("pose", drawn[0], "--backend", "puppet", place[0], tmp_path / place[1])
    assert code == 2
    assert re.search(r"(cannot|can) be written", printed.err)
    assert len(printed.err.splitlines()) == 1
    assert not printed.out
    assert not list(out.iterdir())


def test_what_a_killed_run_left_is_swept(annotate, drawn, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    old, young, other = (
        out / f".{name}.part{end}" for name, end in (("a", ".npz"), ("b", ".npz"), ("c", ""))
    )
    for path in (old, young, other):
        path.touch()
    for path in (old, other):
        os.utime(path, (0, 0))
    assert annotate("landmarks", drawn[0], "--backend", "puppet", "--output", out)[0] == 0
    assert (old.exists(), young.exists(), other.exists()) == (False, True, True)


def children(pid):
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True)
    return [int(line) for line in listed.stdout.split()]


def alive(pid):
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True).stdout
    return bool(state.strip()) and not state.startswith("Z")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)]
)
def test_a_stopped_run_leaves_nobody_behind_and_goes_on(tmp_path, number, code):
    """Two processes over many clips, stopped by a real signal when some are done."""
    clips = 32  # enough for a starved test to be still in time with its signal
    index = PuppetIndex(train_clips=clips, val_clips=1, test_clips=1, frames=40, size=128, seed=1)
    export(index, tmp_path / "data", ("train",), (128, 128), ".mp4")
    out = tmp_path / "out"
    command = [sys.executable, "-m", "animate.cli", "annotate", "landmarks", str(tmp_path / "data")]
    command += ["--backend", "puppet", "--workers", "2", "--output", str(out)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "XDG_CACHE_HOME": str(tmp_path / "cache")}
    process = subprocess.Popen(command, env=environment, start_new_session=True, stderr=subprocess.PIPE)
    while not sidecars(out):
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.05)
    workers = children(process.pid)
    assert len(workers) >= 2
    # Ctrl-C reaches the whole group, as from a terminal; the others are sent to the parent alone.
    (os.killpg if number == signal.SIGINT else os.kill)(process.pid, number)
    assert process.wait(timeout=120) == code
    patience = time.monotonic() + 60
    while any(map(alive, workers)) and time.monotonic() < patience:
        time.sleep(0.2)
    assert not any(map(alive, workers))
    if number == signal.SIGINT:
        assert process.stderr.read().decode() == "animate: error: interrupted\n"
    process.stderr.close()
    assert not list(out.glob(".*"))
    done = len(sidecars(out))
    assert 1 <= done < clips
    again = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert int(re.search(r"done before: (\d+) clip", again.stdout)[1]) >= done
    assert len(sidecars(out)) == clips
