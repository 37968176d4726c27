"""Stops a run whose loss is no longer a number, and says on which clips."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import torch.distributed as dist
from pytorch_lightning import Callback
from typing_extensions import override

from animate.errors import UserError

if TYPE_CHECKING:
    from pytorch_lightning import LightningModule, Trainer
    from torch import Tensor


class _Seen(NamedTuple):
    finite: Tensor
    step: int
    clips: list[str]


class NanGuard(Callback):
    """Raises when the loss of a batch is NaN or infinite; ``last.ckpt`` is then still from before.

    The value is read one step late, when the device has long computed it, so that nothing waits for it.

    Raises:
        UserError: names the step and the clips of the batch.

    """

    def __init__(self) -> None:
        self._seen: _Seen | None = None

    @override
    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Look at the loss of the batch before and keeps this one's."""
        self._look(trainer)
        loss: Tensor = outputs["loss"] if isinstance(outputs, dict) else outputs
        self._seen = _Seen(loss.detach().isfinite().all(), trainer.global_step, list(batch["clip"]))
        if loss.device.type == "cpu":
            self._look(trainer)

    @override
    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Look at the last batch before anything is saved."""
        self._look(trainer)

    @override
    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._look(trainer)

    def _look(self, trainer: Trainer) -> None:
        seen, self._seen = self._seen, None
        if seen is None:
            return
        bad = not bool(seen.finite)
        if trainer.strategy.reduce_boolean_decision(bad, all=False):
            clips = _gathered(seen.clips if bad else [], trainer)
            raise UserError(
                f"the loss is not finite at step {seen.step}; clips of the batch: {', '.join(clips)};"
                " look at them, lower the learning rate, or use trainer.precision=32-true"
            )


def _gathered(clips: list[str], trainer: Trainer) -> list[str]:
    if trainer.world_size == 1:
        return clips
    everywhere: list[list[str]] = [[] for _ in range(trainer.world_size)]
    dist.all_gather_object(everywhere, clips)
    return [name for names in everywhere for name in names]
