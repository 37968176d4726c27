"""``last.ckpt``, ``best.ckpt`` and ``epoch_XXXX.ckpt``: each one can be resumed to the bit."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytorch_lightning.callbacks import Checkpoint
from pytorch_lightning.trainer.states import TrainerFn
from typing_extensions import override

if TYPE_CHECKING:
    from pytorch_lightning import LightningModule, Trainer


class Checkpoints(Checkpoint):
    """Saves at the end of every epoch, where the monitored value is best, and every so often.

    Lightning's ``ModelCheckpoint`` can neither be told to save between two optimiser steps only, nor does it
    leave a state in which a save inside a validation, after ``max_steps`` or after ``max_time`` goes on where
    it stopped.

    Args:
        folder: where the files go.
        monitor: name of a logged value; the lowest one gives ``best.ckpt``.
        every_n_epochs: keeps ``epoch_XXXX.ckpt`` each time that many epochs are complete; 0 keeps none.
        every_n_steps: renews ``last.ckpt`` also after this many optimiser steps; 0 only at an epoch's end.

    """

    def __init__(
        self, folder: str, monitor: str = "val/l1", every_n_epochs: int = 0, every_n_steps: int = 0
    ) -> None:
        self.folder = Path(folder)
        self.monitor = monitor
        self.every_n_epochs = every_n_epochs
        self.every_n_steps = every_n_steps
        self.best: float | None = None

    @override
    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best}

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.best = state_dict["best"]

    @override
    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Renews ``last.ckpt`` between two optimiser steps where that was asked for."""
        if not self.every_n_steps or trainer.fit_loop._should_accumulate() or trainer.is_last_batch:
            return
        if trainer.global_step % self.every_n_steps == 0:
            self.save_last(trainer)

    @override
    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save what the epoch has brought. ``best`` first: ``last`` then knows of it."""
        if getattr(trainer, "fast_dev_run", False):
            return
        score = trainer.callback_metrics.get(self.monitor)
        if (
            score is not None
            and trainer.fit_loop.epoch_loop.val_loop._has_run
            and self._improves(float(score))
        ):
            self.best = float(score)
            trainer.save_checkpoint(self.folder / "best.ckpt", weights_only=False)
        complete = trainer.current_epoch + 1
        if self.every_n_epochs and complete % self.every_n_epochs == 0 and _epoch_is_complete(trainer):
            trainer.save_checkpoint(self.folder / f"epoch_{complete:04d}.ckpt", weights_only=False)
        self.save_last(trainer)

    def _improves(self, score: float) -> bool:
        return score == score and (self.best is None or score < self.best)

    def save_last(self, trainer: Trainer) -> None:
        """Renew ``last.ckpt``; also right between two optimiser steps and inside of a validation."""
        if getattr(trainer, "fast_dev_run", False):
            return
        trainer.save_checkpoint(self.folder / "last.ckpt", weights_only=False)

    @override
    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Write the loops' counters as those of a clean boundary."""
        settle_counters(checkpoint["loops"]["fit_loop"], trainer)

    @override
    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Adapts the counters to a run that is limited by ``max_steps``."""
        if trainer.max_steps != -1 and trainer.state.fn == TrainerFn.FITTING:
            begin_next_epoch(checkpoint["loops"]["fit_loop"])


def _epoch_is_complete(trainer: Trainer) -> bool:
    return trainer.fit_loop.epoch_loop._num_ready_batches_reached()


# Lightning (2.6.6) guesses from the counters of its loops in which hook a checkpoint was written. Three
# guesses are wrong, and the two functions below write the counters so that it guesses right.


def settle_counters(loops: dict[str, Any], trainer: Trainer) -> None:
    """Make a save after a cut-short epoch, or from inside a validation, go on where it stopped.

    An epoch that ``max_steps`` or ``max_time`` cut short counts as complete when its end hooks run, and its
    rest would be dropped. A validation that was interrupted would be taken for one that had been passed.
    """
    epoch = loops["epoch_progress"]
    if epoch["current"]["processed"] > epoch["current"]["completed"] and not _epoch_is_complete(trainer):
        for counts in (epoch["total"], epoch["current"]):
            counts["processed"] -= 1
    if trainer.validating:
        _validation_has_begun(loops)


def _validation_has_begun(loops: dict[str, Any]) -> None:
    validation = loops["epoch_loop.val_loop.batch_progress"]
    validation["total"] = {"ready": 1, "started": 1, "processed": 0, "completed": 0}
    validation["current"] = dict.fromkeys(validation["current"], 0)


def settle_last_batch(loops: dict[str, Any], trainer: Trainer) -> None:
    """Make a state from the hook after an epoch's last batch one of what follows: validation, or the end."""
    epoch_loop, fetcher = trainer.fit_loop.epoch_loop, trainer.fit_loop._data_fetcher
    if not trainer.is_last_batch or trainer.validating or fetcher is None:
        return
    batch = loops["epoch_loop.batch_progress"]
    for counts in (batch["total"], batch["current"]):
        counts["completed"] = counts["ready"]
    if epoch_loop._should_check_val_fx(fetcher):
        _validation_has_begun(loops)
        return
    for counts in (loops["epoch_progress"]["total"], loops["epoch_progress"]["current"]):
        counts["processed"] += 1
    loops["epoch_loop.state_dict"]["_batches_that_stepped"] += 1


def begin_next_epoch(loops: dict[str, Any]) -> None:
    """Make a save at an epoch's end go on with the next epoch when ``max_steps`` is set.

    Lightning then treats every resume as one inside an epoch, and would run the end of the old epoch once
    more, in the place of a training epoch. Told that the save came from the last batch, it does the right
    thing.
    """
    epoch, batch = loops["epoch_progress"], loops["epoch_loop.batch_progress"]
    if epoch["current"]["processed"] == epoch["current"]["completed"]:
        return
    for counts in (epoch["total"], epoch["current"]):
        counts["completed"] += 1
    for counts in (batch["total"], batch["current"]):
        counts["completed"] -= 1
    loops["epoch_loop.state_dict"]["_batches_that_stepped"] -= 1
    loops["epoch_loop.val_loop.batch_progress"]["is_last_batch"] = True
