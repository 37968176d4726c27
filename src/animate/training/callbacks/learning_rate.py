"""The learning rate of each network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytorch_lightning import Callback
from typing_extensions import override

if TYPE_CHECKING:
    from pytorch_lightning import LightningModule, Trainer


class LearningRate(Callback):
    """Logs ``train/lr_<parameter group>`` at the beginning of every epoch."""

    @override
    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Read the rates that the schedule has set for this epoch."""
        groups = [group for optimizer in trainer.optimizers for group in optimizer.param_groups]
        rates = {f"train/lr_{group.get('name', number)}": group["lr"] for number, group in enumerate(groups)}
        for logger in trainer.loggers:
            logger.log_metrics(rates, step=trainer.fit_loop.epoch_loop._batches_that_stepped)
