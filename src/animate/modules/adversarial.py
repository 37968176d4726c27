"""What methods have in common: networks and perhaps their adversary, trained on a sum of weighted terms."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Protocol, Self

import pytorch_lightning as pl

from animate.losses.reconstruction import reconstruction_loss
from animate.modules import optim
from animate.modules.optim import AdamSettings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytorch_lightning.utilities.types import OptimizerLRScheduler
    from torch import Tensor, nn
    from torch.optim import Optimizer
    from torch.optim.lr_scheduler import LRScheduler

    from animate.losses.perceptual import PerceptualLoss
    from animate.types import Batch, StepOutput

ADAM = AdamSettings(lr=2e-4, betas=(0.5, 0.999))


class Weights(Protocol):
    """How much the terms count that every method has. A term of weight 0 is not computed."""

    @property
    def perceptual(self) -> float:
        """Of the feature network's distance."""

    @property
    def reconstruction(self) -> float:
        """Of the mean absolute difference of pixels."""

    @property
    def generator_gan(self) -> float:
        """Of the generator's adversarial term; at 0 there is no discriminator."""


class AdversarialModule(pl.LightningModule):
    """Trains networks, perhaps against a discriminator, with one optimiser on the sum of both sides' terms.

    A method says which parts learn, which terms it has, how the learning rates fall and how it is scored.

    Args:
        networks: what is kept after training.
        discriminator: needed where ``loss_weights.generator_gan`` is not 0, else left out.
        perceptual: needed where ``loss_weights.perceptual`` is not 0, else left out.
        loss_weights: what counts how much.
        optimizer: Adam's settings by part; None for the published ones.
        freeze: patterns of parameter names that do not learn (``modules.optim.freeze``).

    Raises:
        UserError: a part is missing whose loss has a weight, or a name fits nothing.

    """

    def __init__(
        self,
        networks: nn.Module,
        discriminator: nn.Module | None,
        perceptual: PerceptualLoss | None,
        loss_weights: Weights,
        optimizer: Mapping[str, AdamSettings] | None,
        freeze: Sequence[str],
    ) -> None:
        super().__init__()
        self.loss_weights = loss_weights
        self.networks = networks
        # DDP refuses parameters that get no gradient, so a discriminator without a weight is not kept.
        self.discriminator = discriminator if loss_weights.generator_gan else None
        self.perceptual = perceptual if loss_weights.perceptual else None
        parts = list(self.parts())
        self.optimizer_settings = dict.fromkeys(parts, ADAM) if optimizer is None else dict(optimizer)
        optim.check_parts(
            parts,
            self.optimizer_settings,
            discriminator=(loss_weights.generator_gan, discriminator),
            perceptual=(loss_weights.perceptual, perceptual),
        )
        self._frozen_parts = optim.freeze(self, freeze)
        self.train()

    @abstractmethod
    def parts(self) -> Mapping[str, nn.Module | None]:
        """Name the networks that learn, as the optimiser's settings do; None for one that is left out."""

    @abstractmethod
    def training_terms(self, batch: Batch) -> dict[str, Tensor]:
        """Build every weighted term of the objective, by name."""

    @abstractmethod
    def schedule(self, optimizer: Optimizer) -> LRScheduler:
        """Let the learning rates fall, in steps of one epoch."""

    @abstractmethod
    def reconstruct(self, batch: Batch) -> StepOutput:
        """Make frames 1 to T - 1 of each of B clips: N = B (T - 1)."""

    def train(self, mode: bool = True) -> Self:
        """Switch to training or evaluation; frozen parts stay in evaluation (Lightning warns of them)."""
        super().train(mode)
        for name in self._frozen_parts:
            self.get_submodule(name).eval()
        return self

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """One Adam for all parts, with a group and a learning rate for each."""
        parts = {name: part for name, part in self.parts().items() if part is not None}
        optimizer = optim.grouped_adam(parts, self.optimizer_settings)
        scheduler = self.schedule(optimizer)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "epoch"}}

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:  # noqa: ARG002
        """Sum the weighted terms of one batch."""
        return optim.logged_sum(self, self.training_terms(batch), len(batch["frames"]))

    def validation_step(self, batch: Batch, batch_idx: int) -> StepOutput:  # noqa: ARG002
        """Make the frames of every clip."""
        return self.reconstruct(batch)

    def test_step(self, batch: Batch, batch_idx: int) -> StepOutput:  # noqa: ARG002
        """Make the frames of every clip."""
        return self.reconstruct(batch)

    def reconstruction_terms(self, made: Tensor, real: Tensor) -> dict[str, Tensor]:
        """Tell how far pictures ``(N, 3, H, W)`` are from the true ones."""
        terms = {}
        if self.perceptual is not None:
            terms["perceptual"] = self.loss_weights.perceptual * self.perceptual(made, real)
        if self.loss_weights.reconstruction:
            terms["reconstruction"] = self.loss_weights.reconstruction * reconstruction_loss(made, real)
        return terms
