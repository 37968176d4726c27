"""`animate drive --resume`: broken off anywhere, it ends with what an unbroken run gives, to the bit."""

from __future__ import annotations

import json
import os
import signal
import struct
import subprocess
import sys
import time
import zlib

import numpy as np
import pytest
from PIL import Image

from animate.cli import main
from animate.pipelines import kept_frames
from animate.video.decode import stream
from animate.video.image import write_image


@pytest.fixture
def drive(checkpoint, media, tmp_path):
    """Run ``animate drive`` with the tiny model in this process; returns the exit code."""

    def run(*options, output="out", **files):
        given = {
            "checkpoint": checkpoint,
            "source": media / "photo.png",
            "driving": media / "clip.mp4",
            **files,
        }
        named = [part for name, path in given.items() for part in (f"--{name}", path)]
        arguments = ["drive", *named, "--output", tmp_path / output, "--device", "cpu", "--batch-size", 2]
        return main([str(part) for part in [*arguments, *options]])

    return run


@pytest.fixture
def broken(monkeypatch):
    """Let the next run be broken off like by Ctrl-C when so many frames are kept."""

    def after(count):
        written = []

        def write(path, image):
            if len(written) == count:
                raise KeyboardInterrupt
            written.append(path)
            write_image(path, image)

        monkeypatch.setattr(kept_frames, "write_image", write)

    yield after
    monkeypatch.undo()


def pictures(path):
    return np.stack([frame.image for frame in stream(path)])


OPTIONS = {
    "plain": [],
    "smooth": ["--smooth", "--best-frame", "auto"],
    "grid": ["--grid", "--size", "keep", "--absolute"],
}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS.keys())
def test_png_frames_are_the_same_to_the_bit(drive, broken, monkeypatch, tmp_path, options):
    assert drive(*options, output="whole") == 0
    for count in (5, 2):  # broken off twice; 5 frames are two whole batches and a half
        broken(count)
        assert drive(*options, "--resume") == 130
        assert not (tmp_path / "out").exists()
        assert (tmp_path / "out.partial" / "000001.png").is_file()
    monkeypatch.undo()
    made = []
    monkeypatch.setattr(kept_frames, "write_image", lambda path, _image: made.append(path.name))
    assert drive(*options, "--resume") == 0
    assert made == [f"{number:06d}.png" for number in range(6, 10)]  # the others were not made again
    np.testing.assert_array_equal(pictures(tmp_path / "out"), pictures(tmp_path / "whole"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "whole"]


@pytest.mark.parametrize("suffix", [".mp4", ".gif"])
def test_videos_are_the_same_file(drive, broken, monkeypatch, tmp_path, suffix):
    assert drive(output=f"whole{suffix}") == 0
    broken(4)
    assert drive("--resume", output=f"out{suffix}") == 130
    monkeypatch.undo()
    assert drive("--resume", output=f"out{suffix}") == 0
    assert (tmp_path / f"out{suffix}").read_bytes() == (tmp_path / f"whole{suffix}").read_bytes()


def test_a_locked_background_is_kept_with_its_matte(drive, broken, monkeypatch, tmp_path):
    matte = np.zeros((70, 100, 3), np.uint8)
    matte[20:40, 20:60] = 255
    write_image(tmp_path / "matte.png", matte)
    options = ["--lock-background", tmp_path / "matte.png", "--size", "keep"]
    assert drive(*options, output="whole") == 0
    broken(3)
    assert drive(*options, "--resume") == 130
    monkeypatch.undo()
    assert drive(*options, "--resume") == 0
    np.testing.assert_array_equal(pictures(tmp_path / "out"), pictures(tmp_path / "whole"))


@pytest.fixture
def begun(drive, broken, monkeypatch):
    """A render that was broken off after five frames."""
    broken(5)
    assert drive("--resume") == 130
    monkeypatch.undo()


def test_another_render_is_refused(drive, begun, capsys, tmp_path, media, make_video):
    before = sorted((tmp_path / "out.partial").iterdir())
    other = make_video(tmp_path / "other.mp4", 10, height=50)
    write_image(tmp_path / "other.png", np.full((70, 100, 3), 9, np.uint8))
    tries = {
        "option relative": drive("--resume", "--absolute"),
        "option stop": drive("--resume", "--stop", 9),
        "driving": drive("--resume", driving=other),
        "source": drive("--resume", source=tmp_path / "other.png"),
    }
    messages = capsys.readouterr().err.splitlines()
    for (name, code), message in zip(tries.items(), messages, strict=True):
        assert code == 2
        assert f"out.partial was begun with another {name};" in message
    assert sorted((tmp_path / "out.partial").iterdir()) == before
    assert drive("--resume") == 0


def test_other_things_are_left_alone(drive, capsys, tmp_path):
    (tmp_path / "out.partial").mkdir()
    (tmp_path / "out.partial" / "diary.txt").write_text("mine")
    assert drive("--resume") == 2
    assert "holds something else" in capsys.readouterr().err
    assert (tmp_path / "out.partial" / "diary.txt").read_text() == "mine"
    (tmp_path / "there.mp4").write_bytes(b"mine")
    assert drive("--resume", output="there.mp4") == 2
    assert "--overwrite" in capsys.readouterr().err
    assert (tmp_path / "there.mp4").read_bytes() == b"mine"
    assert not (tmp_path / "there.mp4.partial").exists()


def test_a_run_without_a_frame_leaves_nothing(drive, tmp_path):
    assert drive("--resume", "--start", 99) == 2
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_frame_is_named(drive, begun, capsys, tmp_path):
    (tmp_path / "out.partial" / "000001.png").write_bytes(b"torn")
    assert drive("--resume") == 2
    assert "000001.png is damaged; delete it" in capsys.readouterr().err
    (tmp_path / "out.partial" / "000001.png").unlink()
    assert drive("--resume") == 0


@pytest.mark.parametrize("name", ["out", "out.mp4"])
def test_a_link_stays_and_what_it_leads_to_is_written(drive, tmp_path, name):
    (tmp_path / "disk").mkdir()
    (tmp_path / name).symlink_to(tmp_path / "disk" / name)
    assert drive("--resume", output=name) == 0
    assert (tmp_path / name).is_symlink()
    assert len(pictures(tmp_path / name)) == 10
    assert [path.name for path in (tmp_path / "disk").iterdir()] == [name]


def absurd_header(path):
    """A picture of one pixel that says that it has 100,000 x 100,000."""
    Image.new("RGB", (1, 1)).save(path)
    content = path.read_bytes()
    header = b"IHDR" + struct.pack(">II", 100_000, 100_000) + content[24:29]
    path.write_bytes(content[:12] + header + struct.pack(">I", zlib.crc32(header)) + content[33:])


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: Image.new("L", (64, 64)).save(path),
        lambda path: Image.new("RGB", (16, 16)).save(path),
        lambda path: Image.new("1", (13_000, 13_000)).save(path),
        absurd_header,
    ],
    ids=["grey", "small", "large", "absurd"],
)
def test_a_frame_that_is_no_result_of_the_render_is_named(drive, begun, capsys, tmp_path, spoil):
    spoil(tmp_path / "out.partial" / "000001.png")
    assert drive("--resume") == 2
    assert "000001.png is damaged; delete it" in capsys.readouterr().err


def test_facts_that_cannot_be_read(drive, begun, capsys, tmp_path):
    (tmp_path / "out.partial" / "render.json").write_text(100_000 * "[")
    assert drive("--resume") == 2
    assert "does not say what its frames are of" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["[1]", "{}", "null", "1e999", "-5", "9999999", "["])
def test_a_start_frame_that_is_none_is_found_anew(drive, broken, monkeypatch, tmp_path, text):
    options = ["--best-frame", "auto"]
    assert drive(*options, output="whole") == 0
    broken(5)
    assert drive(*options, "--resume") == 130
    monkeypatch.undo()
    (tmp_path / "out.partial" / "start_frame.json").write_text(text)
    assert drive(*options, "--resume") == 0
    np.testing.assert_array_equal(pictures(tmp_path / "out"), pictures(tmp_path / "whole"))


def test_two_at_once_are_refused(drive, begun, capsys, tmp_path):
    with kept_frames.resumable(tmp_path / "other", {}, overwrite=False):
        assert drive("--resume", output="other") == 2
        assert "another process is at work" in capsys.readouterr().err
        write_image(tmp_path / "other.partial" / "result.png", np.zeros((2, 2, 3), np.uint8))
        (tmp_path / "other.partial" / "result").mkdir()


@pytest.mark.slow
def test_after_a_kill(checkpoint, media, make_video, tmp_path, drive):
    """A real process, ended by SIGKILL in the middle of its work."""
    driving = make_video(tmp_path / "long.mp4", 1500)
    assert drive("--smooth", driving=driving, output="whole.mp4") == 0
    files = ["--checkpoint", checkpoint, "--source", media / "photo.png", "--driving", driving]
    command = ["drive", *files, "--output", tmp_path / "out.mp4", "--device", "cpu", "--batch-size", 2]
    process = subprocess.Popen(
        [sys.executable, "-m", "animate.cli", *map(str, command), "--smooth", "--resume"],
        env={**os.environ, "OMP_NUM_THREADS": str(os.environ.get("OMP_NUM_THREADS", 1))},
    )
    partial = tmp_path / "out.mp4.partial"
    try:
        while process.poll() is None and not (partial / "000020.png").exists():
            time.sleep(0.01)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    done = len(list(partial.glob("[0-9]*.png")))
    assert 20 <= done < 1500
    assert not (tmp_path / "out.mp4").exists()
    assert json.loads((partial / "render.json").read_text())["option smooth"] is True
    assert drive("--smooth", "--resume", driving=driving, output="out.mp4") == 0
    assert (tmp_path / "out.mp4").read_bytes() == (tmp_path / "whole.mp4").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["long.mp4", "out.mp4", "whole.mp4"]
