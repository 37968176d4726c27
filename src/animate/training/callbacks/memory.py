"""How much memory a training step will take, told before the first one."""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pytorch_lightning import Callback
from pytorch_lightning.callbacks import WeightAveraging
from pytorch_lightning.callbacks.progress.tqdm_progress import Tqdm
from pytorch_lightning.strategies import DDPStrategy
from typing_extensions import override

from animate.errors import UserError
from animate.training.memory import Estimate, estimate, memory_of, readable, size_of

if TYPE_CHECKING:
    from pytorch_lightning import LightningModule, Trainer

log = logging.getLogger(__name__)


class Memory(Callback):
    """Estimates from the first batch what a step will need (``training.memory``), and tells it in one line.

    Warns where that is more than the device has. What a step has really taken stands in the log, as
    ``sys/peak_memory_mib`` (``callbacks.Throughput``).
    """

    def __init__(self) -> None:
        self._told = False
        self.found: Estimate | None = None
        """Of the first process, when the first step has begun."""

    @override
    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Estimate once, in the first process; a failure is told and changes nothing."""
        if self._told or not trainer.is_global_zero:
            return
        self._told = True
        begun = time.perf_counter()
        try:
            found = estimate(
                pl_module,
                batch,
                trainer.precision_plugin.train_step_context,
                accumulates=trainer.accumulate_grad_batches > 1,
            )
        except UserError:
            return  # the step itself is about to tell it
        except Exception as error:
            with Tqdm.external_write_mode():
                log.info("the memory of a training step cannot be estimated: %s", _in_a_line(error))
            return
        self.found = found = replace(found, copies=_copies(trainer, found))
        took = time.perf_counter() - begun
        with Tqdm.external_write_mode():  # the progress bar has begun its line, and makes room
            log.info("a training step will take about %s, estimated in %.1f s", found, took)
            _warn(found, pl_module)


def _copies(trainer: Trainer, found: Estimate) -> int:
    """Count averaged weights, and the second place that DDP has for gradients."""
    averages = [callback for callback in trainer.callbacks if isinstance(callback, WeightAveraging)]  # type: ignore[attr-defined]
    models = (average._average_model for average in averages)
    size = sum(size_of([*model.parameters(), *model.buffers()]) for model in models if model is not None)
    return size + (found.gradients if isinstance(trainer.strategy, DDPStrategy) else 0)


def _warn(found: Estimate, module: LightningModule) -> None:
    there = memory_of(module.device)
    if there is not None and found.total > there:
        log.warning(
            "%s has only %s; to take less: a smaller data.batch_size or data.image_size,"
            " trainer.precision=bf16-mixed, trainer.accumulate_grad_batches, model.recompute of pose2vid",
            module.device,
            readable(there),
        )


def _in_a_line(error: Exception) -> str:
    lines = str(error).splitlines()
    return f"{type(error).__name__}{': ' + lines[0] if lines else ''}"
