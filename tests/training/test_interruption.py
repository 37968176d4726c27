"""Signals: saved between two optimiser steps, the right exit code, and nothing lost or done twice."""
# ruff: noqa: ARG002  Lightning's hooks have the arguments that they have

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from harness import train
from pytorch_lightning import Callback

from animate.training.callbacks.interruption import Interruption

DRILL = Path(__file__).with_name("drill.py")


class SignalAt(Callback):
    """Sends a signal to this process while a given batch is being trained."""

    def __init__(self, number: int, epoch: int, batch: int, validation: bool = False) -> None:
        self.number, self.at, self.validation = number, (epoch, batch), validation

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx) -> None:
        if not self.validation and self.at == (trainer.current_epoch, batch_idx):
            os.kill(os.getpid(), self.number)

    def on_validation_batch_end(
        self, trainer, pl_module, outputs, batch, batch_idx, dataloader_idx=0
    ) -> None:
        if self.validation and self.at == (trainer.current_epoch, batch_idx):
            os.kill(os.getpid(), self.number)


def interrupted(folder: Path, sender: SignalAt, **settings) -> int:
    """The exit code of a run that gets the signal."""
    with pytest.raises(SystemExit) as stopped, Interruption() as interruption:
        train(folder, extra=[sender, interruption], **settings)
    return int(stopped.value.code or 0)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize(
    ("batch", "accumulation"), [(1, 1), (2, 2), (4, 1)], ids=["inside", "accumulating", "last"]
)
def test_a_signal_saves_at_the_end_of_the_step(tmp_path, number, batch, accumulation) -> None:
    whole = train(tmp_path / "whole", max_epochs=2, accumulation=accumulation, ema=True)
    settings = {"max_epochs": 2, "accumulation": accumulation, "ema": True}
    assert interrupted(tmp_path / "parts", SignalAt(number, 0, batch), **settings) == 128 + number
    saved = torch.load(tmp_path / "parts" / "last.ckpt", weights_only=True)
    assert saved["global_step"] == (batch // accumulation) + 1
    after = train(tmp_path / "parts", resume=True, **settings)
    assert after.equals(whole)
    assert whole.module.seen[-len(after.module.seen) :] == after.module.seen


def test_a_signal_inside_a_validation_leaves_it_at_once_and_runs_it_again(tmp_path) -> None:
    whole = train(tmp_path / "whole", max_epochs=2, ema=True)
    code = interrupted(
        tmp_path / "parts", SignalAt(signal.SIGTERM, 0, 0, validation=True), max_epochs=2, ema=True
    )
    assert code == 143
    after = train(tmp_path / "parts", resume=True, max_epochs=2, ema=True)
    assert after.diary.validations == whole.diary.validations == [(0, 5), (1, 10)]
    assert after.equals(whole)


def test_a_second_ctrl_c_stops_at_once_without_saving(tmp_path) -> None:
    twice = [SignalAt(signal.SIGINT, 0, 1), SignalAt(signal.SIGINT, 0, 1)]
    with pytest.raises(SystemExit) as stopped, Interruption() as interruption:
        train(tmp_path, extra=[*twice, interruption], max_epochs=1)
    assert stopped.value.code == 130
    assert not (tmp_path / "last.ckpt").exists()


def test_the_handlers_of_before_are_back_after_a_run(tmp_path) -> None:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    interrupted(tmp_path, SignalAt(signal.SIGTERM, 0, 1), max_epochs=1)
    assert {number: signal.getsignal(number) for number in before} == before


def test_a_signal_before_training_stops_at_once() -> None:
    with Interruption(), pytest.raises(SystemExit) as stopped:
        signal.raise_signal(signal.SIGTERM)
    assert stopped.value.code == 143


def test_what_complains_while_it_is_torn_down_does_not_hide_the_signal() -> None:
    """As Lightning's loops do when a signal comes while their loaders are made."""

    def fit() -> None:
        try:
            signal.raise_signal(signal.SIGTERM)
        finally:
            raise RuntimeError("half built")

    with pytest.raises(SystemExit) as stopped, Interruption():
        fit()
    assert stopped.value.code == 143


def start(folder: Path, *options: str) -> subprocess.Popen:
    command = [sys.executable, str(DRILL), str(folder), *options]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=environment, start_new_session=True
    )


def finish(process: subprocess.Popen) -> dict:
    out, _ = process.communicate(timeout=300)
    assert process.returncode == 0, out
    return json.loads(out.splitlines()[-1])


@pytest.mark.slow
@pytest.mark.parametrize("options", [(), ("--workers=2", "--accumulation=2", "--ema")], ids=["plain", "all"])
@pytest.mark.parametrize("signalled", ["process", "group"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_drill_with_real_signals(tmp_path, number, signalled, options) -> None:
    whole = finish(start(tmp_path / "whole", *options))
    process = start(tmp_path / "parts", *options)
    for line in process.stdout:
        if line.startswith("step 13"):  # inside of the third epoch of five steps
            break
    (os.killpg if signalled == "group" else os.kill)(process.pid, number)
    process.communicate(timeout=300)
    assert process.returncode == (-9 if number == signal.SIGKILL else 128 + number)
    after = finish(start(tmp_path / "parts", "--resume", *options))
    assert after["weights"] == whole["weights"]
    assert after["seen"] == whole["seen"][-len(after["seen"]) :]
    # SIGKILL costs the steps since the last epoch's end, any other signal costs nothing.
    accumulation = 2 if options else 1
    done = (len(whole["seen"]) - len(after["seen"])) // accumulation
    assert done in ((10,) if number == signal.SIGKILL else (13, 14, 15))
