"""What a test step returns, handed to the scorer and to the recorder of a report."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from pytorch_lightning import Callback
from typing_extensions import override

from animate.layouts import layout_named
from animate.metrics import Scorer
from animate.metrics.boxes import box_masks
from animate.reports import Recorder
from animate.training.baselines import Baseline, Learning, fit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytorch_lightning import LightningModule, Trainer
    from torch import Tensor

    from animate.data.module import VideoDataModule
    from animate.metrics import Annotators, Evaluation, MetricSet
    from animate.training.methods import Method
    from animate.types import Batch, StepOutput


class Scoring(Callback):
    """Scores and records the frames of a test, each process its own clips.

    Args:
        method: of the model; names the rows and the baselines, which are fitted when the test begins.
        chosen: what to compute.
        annotators: the back-ends that metrics need.
        provenance: of the evaluation.
        folder: for the recorder's files; the first process's counts, and must exist for all of them.
        fps: of the recorder's videos.

    """

    recorder: Recorder
    """There when the test has begun."""
    evaluation: Evaluation
    """There when the test has ended; equal on all processes."""

    def __init__(
        self,
        method: Method,
        chosen: MetricSet,
        annotators: Annotators,
        provenance: Mapping[str, Any],
        folder: Path,
        fps: float,
    ) -> None:
        self.method, self.chosen, self.annotators = method, chosen, annotators
        self.provenance = dict(provenance)
        self.folder, self.fps = folder, fps
        self._scorer: Scorer | None = None
        self._baselines: Mapping[str, Baseline] = {}
        self._warnings: list[str] = []

    @override
    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        device = pl_module.device
        device = torch.device("cpu") if device.type == "mps" else device  # MPS has no float64
        self._fit(trainer)
        rows = (*self.method.rows, *self._baselines)
        self._scorer = Scorer(self.chosen.metrics, self.annotators, device, rows)
        self.recorder = Recorder(Path(trainer.strategy.broadcast(str(self.folder))), self.fps)

    def _fit(self, trainer: Trainer) -> None:
        """Every process by itself, of the same frames, so that all of them have the same rows."""
        data: VideoDataModule = trainer.datamodule  # type: ignore[attr-defined]  # as below
        made = self.method.baselines()
        self._baselines, self._warnings = fit(made, data.index, data.size, told=trainer.is_global_zero)
        learned = {name: one.frames for name, one in self._baselines.items() if isinstance(one, Learning)}
        if learned:
            self.provenance["baselines"] = {name: f"{n} training frames" for name, n in learned.items()}

    @override
    def on_test_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Add the frames of one batch."""
        output = cast("StepOutput", outputs)
        assert self._scorer is not None
        others = {"baselines": {name: predict(batch) for name, predict in self._baselines.items()}}
        told = known(batch, self.method.layout)
        self._scorer.update(cast("StepOutput", {**output, **told, **others}))
        for clip, frames in groupby(range(len(output["clip"])), key=lambda i: output["clip"][i]):
            rows = list(frames)
            pictures = (output[name][rows] for name in ("source", "target", "prediction"))
            self.recorder.add(clip, *pictures)

    @override
    def on_test_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Put together what all processes have found."""
        self.recorder.finish()
        assert self._scorer is not None
        self.evaluation = self._scorer.compute(
            skipped=left_out(trainer.datamodule),  # type: ignore[attr-defined]  # set by its data connector
            unavailable=self.chosen.unavailable,
            warnings=self._warnings,
            provenance=self.provenance,
        )

    @override
    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Close the video that is being written."""
        if hasattr(self, "recorder"):
            self.recorder.__exit__(type(exception), exception, exception.__traceback__)


def known(batch: Batch, layout: str) -> dict[str, dict[str, Tensor]]:
    """Give what the data know of the targets, under the names of ``types.Evaluated``.

    Args:
        batch: the frames that were asked for; the first of each clip is its source.
        layout: of their points, if they have any.

    """
    masks = {}
    if "person_mask" in batch:
        masks["person"] = batch["person_mask"][:, 1:].flatten(0, 1)
    if layout:
        points, visible = batch["points"][:, 1:].flatten(0, 1), batch["visible"][:, 1:].flatten(0, 1)
        size = (batch["frames"].shape[-2], batch["frames"].shape[-1])
        masks |= box_masks(points, visible, layout_named(layout), size)
    return {"masks": masks}


def left_out(data: VideoDataModule) -> list[str]:
    """Name the test clips that could not be read, each with its reason; other splits do not matter."""
    unread = [f"{clip}: {reason}" for clip, reason in data.skipped.items()]
    return unread + [line for line in data.index.problems if not line.startswith(("train/", "val/"))]
