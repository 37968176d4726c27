"""Trainings of the toy that end early and go on, with everything recorded that has to be equal."""
# ruff: noqa: ARG002  Lightning's hooks have the arguments that they have

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.callbacks import Checkpoint
from toy import ToyData, ToyModule

from animate.training.callbacks import EMA, Checkpoints
from animate.training.checkpoint_io import AtomicCheckpointIO

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class Stopped(Exception):  # noqa: N818
    pass


class StopAt(Checkpoint):
    """Saves and stops in a given hook, in the middle of everything."""

    def __init__(self, hook: str, epoch: int, batch: int) -> None:
        self.at = (hook, epoch, batch)

    def _stop(self, trainer: Trainer, *at) -> None:
        if at == self.at:
            next(c for c in trainer.callbacks if isinstance(c, Checkpoints)).save_last(trainer)
            raise Stopped

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx) -> None:
        self._stop(trainer, "batch", trainer.current_epoch, batch_idx)

    def on_validation_batch_end(
        self, trainer, pl_module, outputs, batch, batch_idx, dataloader_idx=0
    ) -> None:
        self._stop(trainer, "validation", trainer.current_epoch, batch_idx)

    def on_train_epoch_end(self, trainer, pl_module) -> None:
        self._stop(trainer, "epoch", trainer.current_epoch, 0)


class Diary(Callback):
    """What happened when, and with which learning rate."""

    def __init__(self) -> None:
        self.steps: list[tuple] = []
        self.validations: list[tuple] = []
        self.epochs: list[int] = []

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx) -> None:
        logged_as = trainer.fit_loop.epoch_loop._batches_that_stepped
        rate = pl_module.optimizers().param_groups[0]["lr"]
        self.steps.append((trainer.current_epoch, trainer.global_step, batch_idx, logged_as, rate))

    def on_validation_end(self, trainer, pl_module) -> None:
        self.validations.append((trainer.current_epoch, trainer.global_step))

    def on_train_epoch_end(self, trainer, pl_module) -> None:
        self.epochs.append(trainer.current_epoch)


@dataclass
class Run:
    module: LightningModule
    diary: Diary
    averages: dict = field(default_factory=dict)

    def equals(self, other: Run) -> bool:
        ours, theirs = self.module.state_dict(), other.module.state_dict()
        return all(torch.equal(ours[key], theirs[key]) for key in ours) and all(
            torch.equal(value, other.averages[key]) for key, value in self.averages.items()
        )


def train(
    folder: Path,
    stop: StopAt | None = None,
    resume: bool = False,
    workers: int = 0,
    ema: bool = False,
    accumulation: int = 1,
    extra: Sequence[Callback] = (),
    module: LightningModule | None = None,
    data: ToyData | None = None,
    **trainer_settings,
) -> Run:
    torch.manual_seed(0)
    diary, module = Diary(), module or ToyModule()
    callbacks = [
        diary,
        Checkpoints(str(folder)),
        *([EMA(0.9)] if ema else []),
        *([stop] if stop else []),
        *extra,
    ]
    trainer = Trainer(
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=callbacks,
        plugins=[AtomicCheckpointIO()],
        use_distributed_sampler=False,
        num_sanity_val_steps=0,
        accumulate_grad_batches=accumulation,
        default_root_dir=folder,
        **({"devices": 1} | trainer_settings),
    )
    try:
        last = folder / "last.ckpt" if resume else None
        trainer.fit(
            module, datamodule=data or ToyData(num_workers=workers), ckpt_path=last, weights_only=True
        )
    except Stopped:
        pass
    averages = [c for c in callbacks if isinstance(c, EMA)]
    state = averages[0]._average_model.state_dict() if averages and averages[0]._average_model else {}
    return Run(module, diary, {key: value.clone() for key, value in state.items()})
