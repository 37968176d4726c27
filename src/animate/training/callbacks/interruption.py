"""Ctrl-C, SIGTERM and SLURM's warning: save at the next boundary and leave with the signal's exit code."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any, NoReturn, Self

from pytorch_lightning.callbacks import Checkpoint
from pytorch_lightning.utilities import rank_zero_info
from typing_extensions import override

from animate.training.callbacks.checkpoints import Checkpoints
from animate.training.ranks import started_by_lightning

if TYPE_CHECKING:
    from types import FrameType, TracebackType

    from pytorch_lightning import LightningModule, Trainer

_REQUEUE = signal.SIGUSR1  # what `sbatch --signal=SIGUSR1@90` sends ahead of the time limit


class Interruption(Checkpoint):
    """Turns a signal into a resumable ``last.ckpt`` and an exit with 128 + the signal's number.

    Lightning would stop between any two batches, also inside of an accumulated step, whose first gradients
    would then be lost, and exits with 1 after Ctrl-C. Here the running optimiser step is finished first; a
    validation is left at once and run again on resume. Under SLURM the warning signal also requeues the job.
    A second Ctrl-C stops without saving.

    Used as a context around ``trainer.fit``. A subclass of ``Checkpoint`` because Lightning calls those last:
    the averaged weights and the counters are then up to date.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self._training = False
        self._leaving = False
        self._signals = (signal.SIGINT, signal.SIGTERM, *((_REQUEUE,) if _under_slurm() else ()))
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        self._before = {number: signal.getsignal(number) for number in self._signals}
        self._listen()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        # Lightning exits with 1 or with nothing; and what is torn down half built may complain.
        told = isinstance(error, SystemExit) and self.received is not None
        if error is not None and (self._leaving or told):
            raise SystemExit(self._exit_code()) from None

    def _listen(self) -> None:
        for number in self._signals:
            signal.signal(number, self._note)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        if not self._training:
            self.received = number
            self._leave()
        if self.received == number == signal.SIGINT:
            raise KeyboardInterrupt
        self.received = self.received or number
        print("animate: saving at the end of this step, then stopping", file=sys.stderr, flush=True)

    @override
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take SIGTERM back from Lightning, which has put its own handler in front of ours."""
        self._listen()
        self._training = True

    @override
    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Stop between two optimiser steps; an epoch's last batch is left to the hooks that follow it."""
        if trainer.fit_loop._should_accumulate() or trainer.is_last_batch:
            return
        if self._agreed(trainer):
            self._save(trainer)
            self._leave_after_logging(trainer)

    @override
    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stop before a validation, in agreement with the other ranks."""
        if not trainer.sanity_checking and self._training and self._agreed(trainer):
            self._save_and_leave(trainer)

    @override
    def on_validation_batch_start(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Stop inside of a validation; several ranks finish it, as none knows how far the others are."""
        if trainer.world_size == 1 and self.received and self._training and not trainer.sanity_checking:
            self._save_and_leave(trainer)

    @override
    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stop after the epoch's own checkpoints."""
        if self._agreed(trainer):
            self._requeue(trainer)
            self._leave_after_logging(trainer)

    @override
    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._training = False

    def _agreed(self, trainer: Trainer) -> bool:
        """Whether any rank was signalled; all ranks get the same answer."""
        return bool(trainer.strategy.reduce_boolean_decision(self.received is not None, all=False))

    def _save_and_leave(self, trainer: Trainer) -> NoReturn:
        self._save(trainer)
        self._leave()

    def _save(self, trainer: Trainer) -> None:
        for callback in trainer.checkpoint_callbacks:
            if isinstance(callback, Checkpoints):
                callback.save_last(trainer)
                rank_zero_info(f"saved {callback.folder / 'last.ckpt'}; resume=last goes on from there")
        self._requeue(trainer)

    def _requeue(self, trainer: Trainer) -> None:
        if self.received == _REQUEUE and trainer.is_global_zero:
            subprocess.run(["scontrol", "requeue", os.environ["SLURM_JOB_ID"]], check=False)

    def _leave_after_logging(self, trainer: Trainer) -> None:
        """Let Lightning log the step that has just ended; it stops by itself right after."""
        self._leaving = True
        trainer._signal_connector.received_sigterm = True

    def _leave(self) -> NoReturn:
        self._leaving = True
        raise SystemExit(self._exit_code())

    def _exit_code(self) -> int:
        # A rank that was started by the first and ends with an error would cut that one short.
        return 0 if started_by_lightning() else 128 + (self.received or signal.SIGTERM)


def _under_slurm() -> bool:
    return "SLURM_JOB_ID" in os.environ
