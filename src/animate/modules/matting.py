"""Matting: how U²-Net learns to cut figures out, and how that is scored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor
from torchmetrics import MetricCollection
from torchmetrics.classification import BinaryJaccardIndex, BinaryPrecisionRecallCurve
from typing_extensions import override

from animate.losses.matting import boundary_weight, cross_entropy, iou_loss, ssim_loss
from animate.modules import optim
from animate.modules.learner import Learner
from animate.modules.optim import AdamSettings
from animate.networks.u2net import normalised
from animate.types import Batch, StepOutput

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import nn
    from torch.optim import Optimizer
    from torch.optim.lr_scheduler import LRScheduler

    from animate.networks.u2net import U2NetMatting

ADAM = AdamSettings(lr=1e-3, betas=(0.9, 0.999))
BETA_SQUARED = 0.3
"""How recall counts against precision in the F-measure of saliency (Achanta et al., 2009)."""
THRESHOLDS = 256
ON_FIGURE = 0.5


@dataclass(frozen=True)
class MatteWeights:
    """How much each term counts, of each of the seven maps. A term of weight 0 is not computed.

    Attributes:
        cross_entropy: the only one of the published model.
        iou: of 1 - intersection over union.
        ssim: of 1 - structural similarity.
        boundary: how much more pixels at boundaries count in cross entropy and IoU; 0: all alike, 5: as in
            F³Net.

    """

    cross_entropy: float = 1.0
    iou: float = 0.0
    ssim: float = 0.0
    boundary: float = 0.0


class Matting(Learner):
    """U²-Net on frames with mattes: all seven maps learn from the one that is true.

    Validation returns mattes as pictures, so that ``l1`` is their mean absolute error (MAE), and logs besides
    ``max_f``, the largest F-measure over 256 thresholds, and ``iou`` at one half; over all pixels of the set.

    Args:
        networks: U²-Net.
        loss_weights: what counts how much.
        optimizer: Adam's settings of ``matting``; published are 1e-3 and betas of 0.9 and 0.999.
        constant_epochs: for so long the learning rate stays; as published, for good.
        decay_epochs: then it falls in equal steps, and would be 0 after so many more.
        freeze: patterns of parameter names that do not learn (``modules.optim.freeze``).

    Raises:
        UserError: a name fits nothing.

    """

    TRUTH: ClassVar[tuple[str, ...]] = ("person_mask",)
    """What evaluation reads along with the frames."""
    discriminator = None

    networks: U2NetMatting

    def __init__(
        self,
        networks: U2NetMatting,
        loss_weights: MatteWeights | None = None,
        optimizer: Mapping[str, AdamSettings] | None = None,
        constant_epochs: int = 100_000,
        decay_epochs: int = 1,
        freeze: Sequence[str] = (),
    ) -> None:
        super().__init__(networks)
        self.loss_weights = loss_weights or MatteWeights()
        self.constant_epochs, self.decay_epochs = constant_epochs, decay_epochs
        self.scores = MetricCollection(
            {"curve": BinaryPrecisionRecallCurve(THRESHOLDS), "iou": BinaryJaccardIndex(ON_FIGURE)},
            compute_groups=False,
        )
        self.settle(optimizer, ADAM, freeze)

    @override
    def parts(self) -> dict[str, nn.Module]:
        """Name the one network."""
        return {"matting": self.networks}

    @override
    def schedule(self, optimizer: Optimizer) -> LRScheduler:
        """Let the learning rate fall linearly in the end."""
        return optim.linear_decay(optimizer, self.constant_epochs, self.decay_epochs)

    @override
    def training_terms(self, batch: Batch) -> dict[str, Tensor]:
        """Build every weighted term of the objective, by name: each a sum over the seven maps."""
        weights = self.loss_weights
        target = batch["person_mask"].flatten(0, 1)
        logits = self.networks.matting.logits(normalised(batch["frames"].flatten(0, 1)))
        pixels = boundary_weight(target, weights.boundary) if weights.boundary else None
        terms = {}
        if weights.cross_entropy:
            each = [cross_entropy(one, target, pixels) for one in logits]
            terms["cross_entropy"] = weights.cross_entropy * torch.stack(each).sum()
        if weights.iou:
            each = [iou_loss(one.sigmoid(), target, pixels) for one in logits]
            terms["iou"] = weights.iou * torch.stack(each).sum()
        if weights.ssim:
            each = [ssim_loss(one.sigmoid(), target) for one in logits]
            terms["ssim"] = weights.ssim * torch.stack(each).sum()
        return terms

    @override
    def validation_step(self, batch: Batch, batch_idx: int) -> StepOutput:
        """Cut the figures out of every clip's frames."""
        return self._scored(self.reconstruct(batch))

    @override
    def test_step(self, batch: Batch, batch_idx: int) -> StepOutput:
        """Cut the figures out of every clip's frames."""
        return self._scored(self.reconstruct(batch))

    @override
    def reconstruct(self, batch: Batch) -> StepOutput:
        """Cut the figures out of frames 1 to T - 1 of each of B clips: N = B (T - 1).

        Prediction and target are the mattes in three equal channels; the source is the frame itself.
        """
        frames, each = batch["frames"][:, 1:], batch["frames"].shape[1] - 1
        mattes = self.networks.matting(normalised(frames.flatten(0, 1)))[0]
        return StepOutput(
            prediction=mattes.expand(-1, 3, -1, -1),
            target=batch["person_mask"][:, 1:].flatten(0, 1).expand(-1, 3, -1, -1),
            source=frames.flatten(0, 1),
            clip=[name for name in batch["clip"] for _ in range(each)],
            frame=batch["frame_index"][:, 1:].flatten().tolist(),
        )

    def _scored(self, output: StepOutput) -> StepOutput:
        matte, target = output["prediction"][:, 0].detach(), output["target"][:, 0] > ON_FIGURE
        self.scores.update(matte.flatten(), target.flatten().long())
        return output

    def on_validation_epoch_end(self) -> None:
        """Log what the validation came to."""
        self._log_scores("val")

    def on_test_epoch_end(self) -> None:
        """Log what the test came to."""
        self._log_scores("test")

    def _log_scores(self, stage: str) -> None:
        found = self.scores.compute()
        self.scores.reset()
        precision, recall, _ = found["curve"]
        values = {"max_f": max_f_measure(precision, recall), "iou": found["iou"]}
        # Equal on all ranks already: torchmetrics has put them together.
        shared = self.trainer.world_size > 1
        self.log_dict({f"{stage}/{name}": v for name, v in values.items()}, prog_bar=True, sync_dist=shared)


def max_f_measure(precision: Tensor, recall: Tensor) -> Tensor:
    """Largest F-measure over thresholds: ``(1 + b) P R / (b P + R)`` with b = 0.3; 0 where there is none."""
    measure = (1 + BETA_SQUARED) * precision * recall / (BETA_SQUARED * precision + recall)
    return measure.nan_to_num(0.0).max()
