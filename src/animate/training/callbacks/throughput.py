"""How fast training goes, and what it waits for."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

import torch
from pytorch_lightning import Callback
from typing_extensions import override

if TYPE_CHECKING:
    from pytorch_lightning import LightningModule, Trainer


class Throughput(Callback):
    """Logs samples per second over all devices, the share of time spent waiting for data, and peak memory.

    Validation and saving are not counted. On a GPU work is queued: single steps are timed wrongly, the sums
    over ``every_n_steps`` are not, because the queue is bounded.

    Args:
        every_n_steps: batches between two rows of the log.

    """

    def __init__(self, every_n_steps: int = 50) -> None:
        self.every_n_steps = every_n_steps
        self._clear()

    def _clear(self) -> None:
        self._samples = self._batches = 0
        self._waiting = self._working = 0.0
        self._mark: float | None = None

    @override
    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock; what lies between epochs is not counted."""
        self._mark = time.perf_counter()

    @override
    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """End the wait for data that began with the end of the last batch."""
        now = time.perf_counter()
        self._waiting += now - (self._mark or now)
        self._mark = now

    @override
    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """End the work on a batch."""
        now = time.perf_counter()
        self._working += now - (self._mark or now)
        self._mark = now
        self._batches += 1
        self._samples += len(batch["clip"]) * trainer.world_size
        if self._batches >= self.every_n_steps:
            self._log(trainer, pl_module)
            self._clear()
            self._mark = now

    def _log(self, trainer: Trainer, module: LightningModule) -> None:
        elapsed = self._waiting + self._working
        values = {
            "sys/samples_per_s": self._samples / elapsed,
            "sys/data_wait": self._waiting / elapsed,
            "sys/peak_memory_mib": peak_memory(module.device) / 2**20,
        }
        for logger in trainer.loggers:
            logger.log_metrics(values, step=trainer.fit_loop.epoch_loop._batches_that_stepped)


def peak_memory(device: torch.device) -> int:
    """Bytes: the most that torch held on a GPU, or that this process had in memory on a CPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    import resource  # not on Windows

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
