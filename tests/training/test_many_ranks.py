"""The program on 2 and 4 processes, by every launcher: the run of one process; and ranks that die."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from media import gif_folder

from cli import ROOT, TINY, rows, runs

pytestmark = pytest.mark.usefixtures("workplace")
PROGRAM = [sys.executable, str(ROOT / "train.py")]
ACCIDENTS = [sys.executable, str(Path(__file__).with_name("failing_ranks.py"))]
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
#: The networks have batch statistics: they stand still, as in evaluation, so that the batch can be cut.
FROZEN = [sys.executable, str(Path(__file__).with_name("frozen_statistics.py"))]
BATCH = ["data.batch_size=4", "trainer.max_epochs=2", "data.steps_per_epoch=4"]
UNVALIDATED = [*TINY, *BATCH, "trainer.limit_val_batches=0"]


def ranks(number: int) -> list[str]:
    return [f"trainer.devices={number}", "trainer.strategy=ddp"] if number > 1 else []


def begun(command: list[str], **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command,
        env=os.environ | {"OMP_NUM_THREADS": "1", **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def ended(command: list[str], **environment: str) -> tuple[int, str]:
    """The exit code and what was said; no process is left, nor waited for."""
    process = begun(command, **environment)
    try:
        said = process.communicate(timeout=300)[1]
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    return process.returncode, said


def column(run: Path, name: str) -> list[float]:
    return [float(row[name]) for row in rows(run) if row[name]]


@pytest.mark.parametrize("number", [2, pytest.param(4, marks=pytest.mark.slow)])
def test_several_processes_have_the_losses_and_metrics_of_one(number) -> None:
    gif_folder(Path("data"), test=5)
    for name, devices in (("one", 1), ("several", number)):
        code, said = ended([*FROZEN, *TINY, *BATCH, *ranks(devices), f"experiment_name={name}"])
        assert code == 0, said
    one, several = runs()
    for name in ("train/loss", "val/l1", "val/l1_copy"):
        values = column(one, name)
        assert len(values) == (8 if name.startswith("train") else 2)
        assert column(several, name) == pytest.approx(values, rel=2e-5), name


@pytest.mark.slow
@pytest.mark.parametrize(("before", "after"), [(2, 4), (4, 1), (1, 2)])
def test_resumes_with_another_number_of_processes(before, after) -> None:
    """Stopped inside of an epoch by the death of a rank, or of the only process after its first epoch."""
    code, said = ended([*FROZEN, *UNVALIDATED, "experiment_name=a_whole"])
    assert code == 0, said
    command = [*FROZEN, *UNVALIDATED, "experiment_name=b_parts"]
    accident = "on_before_batch_transfer killed 1 7" if before > 1 else "on_before_batch_transfer killed 0 6"
    code, _ = ended([*command, *ranks(before)], ACCIDENT=accident)
    assert code in (128 + 9, -9)
    code, said = ended([*command, *ranks(after), "resume=last"])
    assert code == 0, said
    whole, parts = runs()
    assert column(parts, "train/loss") == pytest.approx(column(whole, "train/loss"), rel=2e-5)


def died(said: str, rank: int, how: str) -> Path:
    """The run to go on with, from the one line that tells of a death."""
    (line,) = [line for line in said.splitlines() if line.startswith("animate: error:")]
    begin = f"animate: error: the process of rank {rank} {how}; all other ranks end too; resume="
    assert line.startswith(begin), said
    assert line.endswith(" goes on from step 2")
    return Path(line.removeprefix(begin).split()[0])


DEATHS = {
    "1 of 2": (2, 1, "lightning"),
    "0 of 2": (2, 0, "lightning"),
    "1 of 2 under torchrun": (2, 1, "torchrun"),
    "0 of 2 under torchrun": (2, 0, "torchrun"),
    "2 of 4": (4, 2, "lightning"),
    "0 of 4": (4, 0, "lightning"),
    "2 of 4 under torchrun": (4, 2, "torchrun"),
    "0 of 4 under torchrun": (4, 0, "torchrun"),
}


@pytest.mark.parametrize(
    "case",
    [
        case if case == "0 of 2 under torchrun" else pytest.param(case, marks=pytest.mark.slow)
        for case in DEATHS
    ],
)
def test_a_rank_that_dies_ends_all_within_a_minute_and_the_step_before_is_saved(case) -> None:
    number, rank, launcher = DEATHS[case]
    program = ACCIDENTS
    if launcher == "torchrun":
        program = [*TORCHRUN, f"--nproc-per-node={number}", ACCIDENTS[1]]
    death, log = Path("death"), {"ACCIDENT": f"on_before_batch_transfer killed {rank} 3", "DEATH": "death"}
    process = begun([*program, *UNVALIDATED, *ranks(number)], **log)
    said = process.communicate(timeout=300)[1]  # which ends when the last process that may speak has
    assert time.time() - death.stat().st_mtime < 60
    code = {"torchrun": 1, "lightning": 128 + 9 if rank else -9}[launcher]
    assert process.returncode == code, said
    how = "was ended by signal 9" if launcher == "lightning" and rank else "has died"
    run = died(said, rank, how)
    saved = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
    assert saved["global_step"] == 2
    assert len(saved["optimizer_states"][0]["state"]) > 0
    assert saved["VideoDataModule"] == {"epoch": 0, "batches": 2, "batches_per_epoch": 4}


def slurm(rank: int, port: int, **more: str) -> dict[str, str]:
    """What ``srun --ntasks-per-node=2`` tells each of two tasks on one machine."""
    job = {"SLURM_JOB_ID": "4242", "SLURM_JOB_NAME": "train", "SLURM_NTASKS": "2", "SLURM_NNODES": "1"}
    job |= {"SLURM_NTASKS_PER_NODE": "2", "SLURM_NODEID": "0", "SLURM_NODELIST": "localhost"}
    task = {"SLURM_PROCID": str(rank), "SLURM_LOCALID": str(rank)}
    return job | task | {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)} | more


def srun(command: list[str], **more: str) -> list[subprocess.Popen[str]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return [begun(command, **slurm(rank, port, **more)) for rank in range(2)]


@pytest.fixture
def scontrol(monkeypatch) -> Path:
    """SLURM's command, which writes down what it was told."""
    program, told = Path("bin/scontrol").absolute(), Path("told").absolute()
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$@" >> {told}\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    return told


@pytest.mark.slow
def test_a_job_of_slurm_saves_at_its_warning_and_goes_on_when_it_is_requeued(scontrol) -> None:
    options = [*UNVALIDATED, *ranks(2)]
    code, said = ended([*PROGRAM, *options, "experiment_name=a_whole"])
    assert code == 0, said
    command = [*options, "experiment_name=b_slurm"]
    tasks = srun([*ACCIDENTS, *command], ACCIDENT="on_before_batch_transfer warned 01 6")
    ends = [task.communicate(timeout=300)[1] for task in tasks]
    assert [task.returncode for task in tasks] == [128 + signal.SIGUSR1] * 2, ends
    assert scontrol.read_text() == "requeue 4242\n", "by the first rank, once"
    folder = Path("outputs/b_slurm/slurm_4242")
    assert torch.load(folder / "checkpoints/last.ckpt", weights_only=True)["global_step"] == 6
    tasks = srun([*PROGRAM, *command], SLURM_RESTART_COUNT="1")
    ends = [task.communicate(timeout=300)[1] for task in tasks]
    assert [task.returncode for task in tasks] == [0, 0], ends
    whole, parts = runs()
    assert parts == folder
    assert column(parts, "train/loss") == column(whole, "train/loss")


@pytest.mark.slow
def test_a_task_of_slurm_that_dies_ends_the_others() -> None:
    """Which srun itself leaves alone, unless it is told to end them."""
    options = [*UNVALIDATED, *ranks(2)]
    tasks = srun([*ACCIDENTS, *options], ACCIDENT="on_before_batch_transfer killed 1 3")
    said = [task.communicate(timeout=300)[1] for task in tasks]
    assert [task.returncode for task in tasks] == [128 + 9, -9], said
    assert died(said[0], 1, "has died").name == "slurm_4242"
