"""Where runs live, how checkpoints reach the disk, and what the log keeps."""

from __future__ import annotations

import csv
import os
import resource
import signal
import stat
from pathlib import Path

import pytest
import torch
from harness import train
from test_interruption import SignalAt

from animate.errors import UserError
from animate.training import folders, resume
from animate.training.callbacks.interruption import Interruption
from animate.training.checkpoint_io import AtomicCheckpointIO
from animate.training.csv_logger import CsvLogger


@pytest.fixture(autouse=True)
def _no_launcher(monkeypatch) -> None:
    for name in (*(n for n in os.environ if n.startswith(("SLURM", "TORCHELASTIC"))), "LOCAL_RANK", "RANK"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("ANIMATE_RUN_FOLDER", raising=False)


def finished_run(folder: Path, seconds: int = 0) -> Path:
    last = folder / folders.LAST
    last.parent.mkdir(parents=True)
    last.touch()
    os.utime(last, (1_000_000 + seconds, 1_000_000 + seconds))
    return folder


def test_last_is_the_newest_run_with_a_checkpoint(tmp_path) -> None:
    newest = finished_run(tmp_path / "a", 20)
    finished_run(tmp_path / "b", 10)
    (tmp_path / "c" / "checkpoints").mkdir(parents=True)
    assert resume.find("last", tmp_path) == (newest, newest / folders.LAST)


def test_a_folder_or_a_checkpoint_of_one_can_be_named(tmp_path) -> None:
    run = finished_run(tmp_path / "run")
    other = run / "checkpoints" / "epoch_0003.ckpt"
    other.touch()
    assert resume.find(str(run), tmp_path) == (run, run / folders.LAST)
    assert resume.find(str(other), tmp_path) == (run, other)


def test_a_checkpoint_outside_of_a_run_is_for_init_from(tmp_path) -> None:
    (tmp_path / "x.ckpt").touch()
    with pytest.raises(UserError, match="init_from"):
        resume.find(str(tmp_path / "x.ckpt"), tmp_path)


def test_a_slurm_job_has_one_folder_which_a_requeued_job_takes_up(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "77")
    first = folders.new_run_folder(tmp_path)
    assert first == tmp_path / "slurm_77" == folders.new_run_folder(tmp_path)
    finished_run(first)
    assert resume.find(None, tmp_path) is None
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    assert resume.find(None, tmp_path) == (first, first / folders.LAST)


def test_ranks_of_torchrun_agree_on_the_folder_and_only_the_first_makes_it(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "job/1")
    monkeypatch.setenv("RANK", "1")
    folder = folders.new_run_folder(tmp_path)
    assert not folder.exists()
    monkeypatch.setenv("RANK", "0")
    assert folders.new_run_folder(tmp_path) == folder == tmp_path / "torchrun_job_1"
    assert folder.exists()


def test_a_rank_that_lightning_starts_takes_the_folder_it_is_given(tmp_path, monkeypatch) -> None:
    folder = folders.new_run_folder(tmp_path)
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert folders.new_run_folder(tmp_path) == folder


@pytest.mark.parametrize("given", ["results", "."])
def test_an_unused_run_takes_along_the_folders_that_it_made(tmp_path, monkeypatch, given) -> None:
    outputs = tmp_path / given
    outputs.mkdir(exist_ok=True)
    monkeypatch.chdir(outputs)
    keep = folders.nearest_existing(Path("new/experiment"))
    first, second = (folders.new_run_folder(Path("new/experiment"), job) for job in (0, 1))
    folders.remove_if_unused(first, keep)
    assert second.is_dir()
    folders.remove_if_unused(second, keep)
    assert outputs.is_dir()
    assert not list(outputs.iterdir())


def test_slurms_warning_saves_and_requeues(tmp_path, monkeypatch) -> None:
    scontrol = tmp_path / "bin" / "scontrol"
    scontrol.parent.mkdir()
    scontrol.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/called\n')
    scontrol.chmod(scontrol.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{scontrol.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("SLURM_JOB_ID", "77")
    with pytest.raises(SystemExit) as stopped, Interruption() as interruption:
        train(tmp_path / "run", extra=[SignalAt(signal.SIGUSR1, 0, 1), interruption], max_epochs=1)
    assert stopped.value.code == 128 + signal.SIGUSR1
    assert (tmp_path / "called").read_text() == "requeue 77\n"
    assert torch.load(tmp_path / "run" / "last.ckpt", weights_only=True)["global_step"] == 2


def test_a_checkpoint_that_does_not_fit_on_the_disk_leaves_the_old_one(tmp_path) -> None:
    path = tmp_path / "last.ckpt"
    AtomicCheckpointIO().save_checkpoint({"x": torch.zeros(1)}, path)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(UserError, match=r"last\.ckpt: .*; it takes 0\.4 MiB .* left there, earlier"):
            AtomicCheckpointIO().save_checkpoint({"x": torch.zeros(100_000)}, path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert [entry.name for entry in tmp_path.iterdir()] == ["last.ckpt"]
    assert torch.equal(AtomicCheckpointIO().load_checkpoint(path)["x"], torch.zeros(1))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has a device that is always full")
def test_a_full_disk_is_told_in_one_line(tmp_path, monkeypatch) -> None:
    open_file = Path.open
    monkeypatch.setattr(Path, "open", lambda _, mode: open_file(Path("/dev/full"), mode.replace("x", "w")))
    with pytest.raises(UserError, match=r"cannot write .*last\.ckpt") as raised:
        AtomicCheckpointIO().save_checkpoint({"x": torch.zeros(100_000)}, tmp_path / "last.ckpt")
    assert "\n" not in str(raised.value)
    assert not list(tmp_path.iterdir())


def test_nothing_in_a_checkpoint_is_executed(tmp_path) -> None:
    class Bomb:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "exploded",))

    torch.save({"x": Bomb()}, tmp_path / "bomb.ckpt")
    with pytest.raises(UserError, match="more than tensors and plain values"):
        AtomicCheckpointIO().load_checkpoint(tmp_path / "bomb.ckpt", weights_only=False)
    assert not (tmp_path / "exploded").exists()


def read(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open() as file:
        return list(csv.DictReader(file))


def test_values_of_one_step_share_a_row_and_new_columns_may_come(tmp_path) -> None:
    log = CsvLogger(str(tmp_path))
    log.log_metrics({"a": 1.0}, 0)
    log.log_metrics({"b": 2.0}, 0)
    log.log_metrics({"a": 3.0}, 1)
    log.log_metrics({"c": 4.0}, 1)
    log.log_metrics({"a": 5.0}, 2)
    assert read(tmp_path) == [
        {"step": "0", "a": "1.0", "b": "2.0", "c": ""},
        {"step": "1", "a": "3.0", "b": "", "c": "4.0"},
        {"step": "2", "a": "5.0", "b": "", "c": ""},
    ]


def test_a_resumed_run_keeps_the_rows_before_its_checkpoint_and_takes_the_others_again(tmp_path) -> None:
    log = CsvLogger(str(tmp_path))
    for step in range(5):
        log.log_metrics({"a": step}, step)
    resumed = CsvLogger(str(tmp_path))
    resumed.log_metrics({"a": 30}, 3)
    assert [row["a"] for row in read(tmp_path)] == ["0.0", "1.0", "2.0", "30.0"]
