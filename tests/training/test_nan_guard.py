"""A step that spoils the weights never reaches a checkpoint; a line names it, its losses and its clips."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from animate.modules.fomm import FOMM
from animate.training import main
from animate.training.callbacks import NanGuard
from animate.training.callbacks.nan_guard import _Seen
from cli import TINY, runs

pytestmark = pytest.mark.usefixtures("workplace")
EVERY_STEP = [*TINY, "callbacks.checkpoints.every_n_steps=1", "trainer.max_epochs=2"]


def stopped_line(capfd, *options: str) -> str:
    with pytest.raises(SystemExit) as stopped:
        main([*EVERY_STEP, *options])
    assert stopped.value.code == 2
    return capfd.readouterr().err.splitlines()[-1]


def saved() -> dict:
    path = runs()[0] / "checkpoints" / "last.ckpt"
    return torch.load(path, weights_only=True)


def poison_at(monkeypatch, step: int, value: float, gradient_only: bool = False) -> None:
    """Spoil the loss of a step, or only its gradient."""
    unharmed = FOMM.training_step

    def harmed(self, batch, batch_idx):
        loss = unharmed(self, batch, batch_idx)
        if self.global_step != step:
            return loss
        if gradient_only:
            loss.register_hook(lambda gradient: gradient * value)
            return loss
        return loss * value

    monkeypatch.setattr(FOMM, "training_step", harmed)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_spoilt_loss_leaves_the_checkpoint_before(capfd, monkeypatch, value) -> None:
    poison_at(monkeypatch, 2, value)
    line = stopped_line(capfd)
    last = runs()[0] / "checkpoints" / "last.ckpt"
    assert f"at step 3 the loss is not finite (loss {value})" in line, "its terms are fine"
    assert re.search(r"data/train/clip[01]\.gif \(frames [0-4], [0-4]\), data/train/clip[01]\.gif \(fr", line)
    assert line.endswith(f"trainer.precision=32-true; {last.resolve()} is from before")
    assert saved()["global_step"] == 2
    assert all(value.isfinite().all() for value in saved()["state_dict"].values())


def test_a_gradient_that_overflows_is_seen_before_the_weights_are_saved(capfd, monkeypatch) -> None:
    """The loss of that step was fine; the next one would tell, but its checkpoint comes first."""
    poison_at(monkeypatch, 1, float("nan"), gradient_only=True)
    line = stopped_line(capfd)
    assert "at step 2 weights are not finite (networks." in line
    assert re.search(r" and \d+ more\); the batch: data/train/clip", line)
    assert saved()["global_step"] == 1
    assert all(value.isfinite().all() for value in saved()["state_dict"].values())


class Elsewhere:
    """A loss that is not on the CPU, at which the guard looks one step late."""

    def __init__(self, loss: torch.Tensor) -> None:
        self.device, self._loss = torch.device("meta"), loss

    def detach(self) -> torch.Tensor:
        return self._loss.detach()


def test_a_look_that_is_late_still_comes_before_saving(capfd, monkeypatch) -> None:
    poison_at(monkeypatch, 2, float("nan"))
    look = NanGuard.on_train_batch_end
    monkeypatch.setattr(
        NanGuard,
        "on_train_batch_end",
        lambda self, trainer, module, outputs, batch, number: look(
            self, trainer, module, {"loss": Elsewhere(outputs["loss"])}, batch, number
        ),
    )
    assert "at step 3 the loss is not finite" in stopped_line(capfd)
    assert saved()["global_step"] == 2


def test_only_the_losses_that_are_wrong_are_named() -> None:
    nan, fine = torch.tensor(float("nan")), torch.tensor(1.0)
    seen = _Seen(
        1, nan, {"train/a": fine, "train/b": nan, "train/c": -nan / 0}, ["x"], torch.tensor([[3, 1]])
    )
    assert seen.broken() == ["train/b nan", "train/c nan"]
    assert seen.batch({"x": Path("there/x.mp4")}) == ["there/x.mp4 (frames 3, 1)"]
    assert seen._replace(frames=None).batch({}) == ["x"]
