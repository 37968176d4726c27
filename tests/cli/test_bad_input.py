"""Bad input through a real process: one line on stderr, exit code 2, no traceback, nothing left behind."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import pytest
import torch

from animate.cli import main
from animate.video.probe import probe

STRANGE = "a b, (c)=d é漢 'q' 100%;$x.mp4"


class Result(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def arguments(checkpoint, media, tmp_path):
    """Arguments of ``animate drive`` with everything right except for what the test changes."""
    (tmp_path / "results").mkdir()

    def build(*options, output=None, **files):
        given = {
            "checkpoint": checkpoint,
            "source": media / "photo.png",
            "driving": media / "clip.mp4",
            **files,
        }
        given["output"] = output or tmp_path / "results" / "out.mp4"
        return [
            "drive",
            *(str(part) for name, path in given.items() for part in (f"--{name}", path)),
            *options,
        ]

    return build


@pytest.fixture
def drive(arguments, capfd):
    """Run it in this process: starting one for every case would take minutes."""

    def run(*options, **files):
        code = main(arguments(*options, **files))
        return Result(code, *capfd.readouterr())

    return run


@pytest.fixture
def process(arguments, animate):
    """Run it in a process of its own, as a user does."""

    def run(*options, limit=None, **files):
        return animate(*arguments(*options, **files), limit=limit)

    return run


def refused(result, told, folder):
    """The rule of every refusal."""
    assert result.returncode == 2, result.stderr
    assert result.stderr.startswith("animate: error: ")
    assert result.stderr.count("\n") == 1
    assert "Traceback" not in result.stderr
    assert told in result.stderr
    assert result.stdout == ""
    assert list(folder.iterdir()) == []


def make_files(folder):
    """What users confuse with videos, pictures and checkpoints."""
    (folder / "text.mp4").write_text("this is no video\n" * 50)
    (folder / "zero.mp4").touch()
    (folder / "text.png").write_text("this is no picture")
    (folder / "text.ckpt").write_text("this is no checkpoint")
    torch.save({"state_dict": {"layer.weight": torch.zeros(2)}, "epoch": 3}, folder / "other.ckpt")
    (folder / "folder").mkdir()


@pytest.mark.parametrize(
    ("argument", "name"),
    [
        ("driving", "missing.mp4"),
        ("driving", "text.mp4"),
        ("driving", "zero.mp4"),
        ("driving", "folder"),
        ("source", "missing.png"),
        ("source", "text.png"),
        ("source", "folder"),
        ("checkpoint", "missing.ckpt"),
        ("checkpoint", "text.ckpt"),
        ("checkpoint", "other.ckpt"),
        ("checkpoint", "zero.mp4"),
        ("checkpoint", "folder"),
    ],
)
def test_files_that_are_not_what_they_should_be(drive, tmp_path, argument, name):
    make_files(tmp_path)
    refused(drive(**{argument: tmp_path / name}), name, tmp_path / "results")


def test_a_video_that_was_cut_off(drive, media, tmp_path):
    whole = (media / "clip.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    result = drive(driving=tmp_path / "cut.mp4")
    if result.returncode:  # the index may stand in the first half: then what decodes is used
        refused(result, "cut.mp4", tmp_path / "results")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--device", "cuda:77"), "--device cuda:77"),
        (("--device", "gpu"), "--device gpu"),
        (("--start", "10"), "clip.mp4"),
        (("--start", "4", "--stop", "4"), "stop"),
        (("--best-frame", "12"), "clip.mp4"),
        (("--best-frame", "2", "--start", "5"), "2"),
        (("--best-frame", "nose"), "nose"),
        (("--absolute", "--adapt-scale"), "--adapt-scale"),
        (("--absolute", "--best-frame", "auto"), "--best-frame"),
        (("--box", "0,0,101,70"), "photo.png"),
        (("--box", "1,2,3"), "--box 1,2,3"),
        (("--driving-box", "0,0,65,48"), "clip.mp4"),
        (("--size", "huge"), "--size"),
    ],
)
def test_options_that_do_not_fit(drive, tmp_path, options, told):
    refused(drive(*options), told, tmp_path / "results")


@pytest.mark.skipif(torch.cuda.is_available(), reason="here the GPU is there")
def test_a_gpu_that_is_not_there(drive, tmp_path):
    refused(drive("--device", "cuda"), "--device cuda", tmp_path / "results")


def test_outputs_that_cannot_be(drive, tmp_path):
    folder = tmp_path / "results"
    refused(drive(output=folder / "out.avi"), ".avi", folder)
    refused(drive(output=folder / "missing" / "out.mp4"), "missing", folder)
    refused(drive(output=folder / ("x" * 300 + ".mp4")), "xxx", folder)
    (tmp_path / "file").touch()
    refused(drive(output=tmp_path / "file" / "out.mp4"), "file", folder)


@pytest.mark.parametrize("output", [".", "..", "sub/.."])
@pytest.mark.parametrize("options", [(), ("--resume",), ("--overwrite",)])
def test_the_folder_that_the_command_runs_in_is_no_output(drive, tmp_path, monkeypatch, output, options):
    monkeypatch.chdir(tmp_path / "results")
    refused(drive(*options, output=output), f"{output} is the folder that this command", tmp_path / "results")


@pytest.mark.parametrize("output", ["", ".", "sub/.."])
@pytest.mark.parametrize(
    "verb",
    [
        ("reconstruct", "--checkpoint", "{checkpoint}", "--data", "{clip}"),
        ("export", "--format", "onnx", "--checkpoint", "{checkpoint}"),
        ("evaluate", "--prediction", "{clip}", "--target", "{clip}"),
        ("crop", "{clip}"),
        ("data", "puppets"),
    ],
    ids=lambda verb: verb[0],
)
def test_the_folder_that_the_command_runs_in_is_not_replaced(
    verb, output, checkpoint, media, tmp_path, monkeypatch, capfd
):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    files = {"checkpoint": checkpoint, "clip": media / "clip.mp4"}
    code = main([*(word.format(**files) for word in verb), "--output", output])
    told = f"{Path(output)} is the folder that this command runs in"
    refused(Result(code, *capfd.readouterr()), told, tmp_path / "here")


def test_an_existing_output_is_kept(drive, tmp_path):
    (tmp_path / "kept.mp4").write_bytes(b"precious")
    refused(drive(output=tmp_path / "kept.mp4"), "--overwrite", tmp_path / "results")
    assert (tmp_path / "kept.mp4").read_bytes() == b"precious"


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a folder that even root cannot write to")
def test_a_folder_that_cannot_be_written(drive, tmp_path):
    refused(drive(output="/proc/out.mp4"), "/proc/out.mp4", tmp_path / "results")


def test_a_real_process(process, tmp_path):
    refused(process(driving=tmp_path / "missing.mp4"), "missing.mp4", tmp_path / "results")


def test_no_room_for_the_output(process, make_video, tmp_path):
    """A limit on the file size stands for a full disk: the write fails in the middle."""
    clip = make_video(tmp_path / "long.mp4", 300)
    refused(process(driving=clip, limit=4096), "out.mp4", tmp_path / "results")


def test_strange_names_work(process, checkpoint, media, tmp_path):
    for name, path in {
        "checkpoint": checkpoint,
        "source": media / "photo.png",
        "driving": media / "clip.mp4",
    }.items():
        (tmp_path / name).mkdir()
        shutil.copy(path, tmp_path / name / (STRANGE.removesuffix(".mp4") + path.suffix))
    (tmp_path / STRANGE).mkdir()
    output = tmp_path / STRANGE / STRANGE
    files = {name: next((tmp_path / name).iterdir()) for name in ("checkpoint", "source", "driving")}
    result = process(output=output, **files)
    assert result.returncode == 0, result.stderr
    assert str(output) in result.stdout
    assert probe(output).num_frames == 10


def test_a_name_that_is_not_even_text(drive, tmp_path):
    """A file name may hold any bytes; printing it must not fail."""
    output = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe.gif"))
    result = drive(output=output)
    assert result.returncode == 0, result.stderr
    assert output.stat().st_size


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_stopped_on_the_way_nothing_is_left(arguments, make_video, tmp_path, number, code):
    long = make_video(tmp_path / "long.mp4", 3000)  # a starved test is still in time with its signal
    folder = tmp_path / "results"
    given = arguments("--batch-size", "1", driving=long, output=folder / "frames")
    command = [sys.executable, "-m", "animate.cli", *given]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    while process.poll() is None and not list(folder.glob(".*/*.png")):
        time.sleep(0.02)
    process.send_signal(number)
    _, printed = process.communicate(timeout=60)
    assert process.returncode == code, printed
    assert "Traceback" not in printed
    assert list(folder.iterdir()) == []
