"""Scores what the validation and test steps return; knows nothing of the method."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, cast

import torch
from pytorch_lightning import Callback
from typing_extensions import override

from animate.metrics import L1
from animate.metrics.scorer import evaluated

if TYPE_CHECKING:
    from pytorch_lightning import LightningModule, Trainer

    from animate.metrics import MetricSet, VideoMetric
    from animate.types import Evaluated, StepOutput

log = logging.getLogger(__name__)


class Metrics(Callback):
    """Computes metrics from each ``StepOutput`` and logs them as ``val/<name>`` and ``test/<name>``.

    Besides the configured ones it always logs ``l1``, ``l1_copy`` (what copying the first frame would score)
    and ``l1_ratio``, their quotient: below 1 the model is better than doing nothing.

    Args:
        metrics: they live here and not in the module, so that no checkpoint carries them. Those that read
            more than a step returns, because they need a back-end or a network, belong into an evaluation:
            here they are left out, with a warning.

    """

    def __init__(self, metrics: MetricSet | None = None) -> None:
        self.metrics: dict[str, VideoMetric] = {"l1": L1()}
        for metric in metrics.metrics if metrics else []:
            self.metrics[metric.definition.name] = metric
        self.copying = L1()
        for name, reason in (metrics.unavailable if metrics else {}).items():
            log.warning("metric %s is left out of the training's: %s", name, reason)

    def _begin(self, device: torch.device) -> None:
        for metric in (*self.metrics.values(), self.copying):
            metric.to("cpu" if device.type == "mps" else device)  # MPS has no float64
            metric.reset()

    @torch.no_grad()
    def _update(self, output: StepOutput) -> None:
        frames = evaluated(output, self.copying.device)
        for metric in self.metrics.values():
            metric.update(frames)
        self.copying.update(cast("Evaluated", {**frames, "prediction": frames["source"]}))

    def _log(self, module: LightningModule, stage: str) -> None:
        """Each metric adds up its own state over the ranks, so the values are equal on all of them."""
        values = {name: float(metric.compute()) for name, metric in self.metrics.items()}
        values["l1_copy"] = float(self.copying.compute())
        values["l1_ratio"] = values["l1"] / values["l1_copy"] if values["l1_copy"] else float("inf")
        for name, value in values.items():
            # Equal on all ranks already: the reduction only tells Lightning so.
            shown = name in ("l1", "l1_ratio")
            module.log(f"{stage}/{name}", value, prog_bar=shown, sync_dist=module.trainer.world_size > 1)

    @override
    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._begin(pl_module.device)

    @override
    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Add the frames of one batch."""
        self._update(cast("StepOutput", outputs))

    @override
    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._log(pl_module, "val")

    on_test_epoch_start = on_validation_epoch_start
    on_test_batch_end = on_validation_batch_end

    @override
    def on_test_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._log(pl_module, "test")
