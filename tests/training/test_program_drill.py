"""The whole program, stopped by real signals and resumed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch

from animate.training import main
from cli import ROOT, TINY, rows, runs

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.usefixtures("workplace")
PROGRAM = [sys.executable, str(ROOT / "train.py")]


def signalled(options: list[str], number: int, group: bool) -> int:
    """The exit code of a training in a process of its own that gets a signal in its third epoch."""
    process = subprocess.Popen(
        [*PROGRAM, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        text=True,
    )
    seen = ""
    while "Epoch 2:" not in seen:
        seen += process.stdout.read(1) or pytest.fail(seen)
    (os.killpg if group else os.kill)(process.pid, number)
    # Not to the end of its output: data workers that outlive it would hold that open.
    code = process.wait(timeout=120)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.stdout.close()
    return code


@pytest.fixture
def one_thread(monkeypatch) -> Iterator[None]:
    """Here and in other processes: sums over several threads are other sums."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("accumulation", [1, 2])
@pytest.mark.parametrize(
    ("number", "group", "code"),
    [
        (signal.SIGTERM, False, 143),
        (signal.SIGTERM, True, 143),
        (signal.SIGINT, True, 130),
        (signal.SIGKILL, False, -9),
    ],
    ids=["SIGTERM", "SIGTERM to all", "Ctrl-C", "SIGKILL"],
)
def test_drill_of_the_whole_program(number, group, code, accumulation) -> None:
    """Two data workers, averaged weights, a schedule, a real signal; equal to the bit after resume=last."""
    options = [
        *TINY,
        "callbacks=ema",
        "model.milestones=[1,3]",
        "trainer.max_epochs=4",
        "data.steps_per_epoch=15",
        "callbacks.progress.refresh_rate=1",
        f"trainer.accumulate_grad_batches={accumulation}",
    ]
    main([*options, "experiment_name=whole"])
    options += ["experiment_name=parts"]
    assert signalled([*options, "data.num_workers=2"], number, group) == code
    (last,) = Path("outputs/parts").glob("*/checkpoints/last.ckpt")
    steps = torch.load(last, weights_only=True)["global_step"]
    assert steps == 30 if number == signal.SIGKILL else steps > 30, "saved inside of the third epoch"
    main([*options, "resume=last"])
    assert_same_runs()


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
def test_drill_of_two_ranks() -> None:
    """SIGTERM to both ranks and their data workers, inside of accumulated steps."""
    options = [
        *TINY,
        *("trainer.devices=2", "trainer.strategy=ddp", "trainer.limit_val_batches=0", "callbacks=ema"),
        *("data.batch_size=4", "data.num_workers=1", "trainer.accumulate_grad_batches=2"),
        *("trainer.max_epochs=4", "data.steps_per_epoch=15", "callbacks.progress.refresh_rate=1"),
    ]
    subprocess.run([*PROGRAM, *options, "experiment_name=whole"], check=True)
    options += ["experiment_name=parts"]
    assert signalled(options, signal.SIGTERM, group=True) == 143
    (last,) = Path("outputs/parts").glob("*/checkpoints/last.ckpt")
    assert 30 < torch.load(last, weights_only=True)["global_step"] < 60
    subprocess.run([*PROGRAM, *options, "resume=last"], check=True)
    assert_same_runs()


def assert_same_runs() -> None:
    """The run in parts ended with the losses and weights of the whole one, to the bit."""
    parts, whole = runs()
    ours, theirs = (torch.load(p / "checkpoints" / "last.ckpt", weights_only=True) for p in (parts, whole))
    assert [row["train/loss"] for row in rows(parts)] == [row["train/loss"] for row in rows(whole)]
    for key in ("state_dict", "current_model_state"):
        assert all(torch.equal(ours[key][name], value) for name, value in theirs[key].items())
