"""What killed processes leave half-written goes when the same target is made again; what may grow stays."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest

from animate.video import atomic
from animate.video.encode import VideoWriter
from animate.video.results import results_folder

if TYPE_CHECKING:
    from pathlib import Path

PICTURE = np.zeros((16, 16, 3), np.uint8)


@pytest.fixture(scope="module")
def gone() -> int:
    """The number of a process that was there."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def left_by(process: int, target: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    with monkeypatch.context() as patched:
        patched.setattr(os, "getpid", lambda: process)
        path = atomic.temporary_name(target)
    path.write_text("half")
    return path


def test_a_video_that_is_made_again_sweeps_its_own(tmp_path, monkeypatch, gone) -> None:
    dead = left_by(gone, tmp_path / "out.mp4", monkeypatch)
    alive = left_by(os.getppid(), tmp_path / "out.mp4", monkeypatch)
    other = left_by(gone, tmp_path / "other.mp4", monkeypatch)
    with VideoWriter(tmp_path / "out.mp4", 25) as writer:
        writer.write(PICTURE)
    assert (dead.exists(), alive.exists(), other.exists()) == (False, True, True)


def test_a_folder_of_results_that_is_made_again_sweeps_its_own(tmp_path, monkeypatch, gone) -> None:
    target = tmp_path / "results [1]"
    dead = left_by(gone, target, monkeypatch)
    dead.unlink()
    (dead / "inside").mkdir(parents=True)
    with results_folder(target, overwrite=False) as folder:
        (folder / "marker").touch()
    assert [path.name for path in tmp_path.iterdir()] == ["results [1]"]


def test_another_machines_stays_for_an_hour(tmp_path, monkeypatch, gone) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "elsewhere")
    young, old = (left_by(gone, tmp_path / f"{name}.npz", monkeypatch) for name in "ab")
    monkeypatch.undo()
    os.utime(old, (0, 0))
    atomic.sweep(tmp_path, ".npz")
    assert (young.exists(), old.exists()) == (True, False)


def test_a_link_that_is_left_goes_and_what_it_leads_to_stays(tmp_path, monkeypatch, gone) -> None:
    (tmp_path / "album").mkdir()
    (tmp_path / "album/photo").touch()
    for leads_to in ("album", "nowhere"):
        dead = left_by(gone, tmp_path / "out", monkeypatch)
        dead.unlink()
        dead.symlink_to(tmp_path / leads_to)
        atomic.sweep(tmp_path, "", "out")
        assert not dead.is_symlink()
    assert (tmp_path / "album/photo").exists()


def test_a_file_in_a_folder_replaces_a_link_and_writes_nothing_elsewhere(tmp_path) -> None:
    (tmp_path / "diary").write_text("mine")
    (tmp_path / "clip.npz").symlink_to(tmp_path / "diary")
    with atomic.temporary_file(tmp_path / "clip.npz") as temporary:
        temporary.write_text("new")
    assert (tmp_path / "diary").read_text() == "mine"
    assert not (tmp_path / "clip.npz").is_symlink()
    assert (tmp_path / "clip.npz").read_text() == "new"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="states of processes are found in /proc")
def test_what_a_process_left_goes_also_before_somebody_asks_for_its_exit_code(tmp_path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        left = tmp_path / (f".out.{atomic._machine()}-{process.pid}-0123abcd.part.mp4")
        left.touch()
        atomic.sweep(tmp_path, ".mp4")
        assert not left.exists()
