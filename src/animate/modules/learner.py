"""What all methods have in common: networks that learn with one optimiser, on a sum of weighted terms."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Self

import pytorch_lightning as pl

from animate.modules import optim

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytorch_lightning.utilities.types import OptimizerLRScheduler
    from torch import Tensor, nn
    from torch.optim import Optimizer
    from torch.optim.lr_scheduler import LRScheduler

    from animate.modules.optim import AdamSettings
    from animate.types import Batch, StepOutput


class Learner(pl.LightningModule):
    """Trains networks with one Adam; parts of them may stand still.

    A method says which parts learn, which terms it has, how the learning rates fall and how it is scored. Its
    constructor ends by calling :meth:`settle`.

    Args:
        networks: what is kept after training.

    """

    def __init__(self, networks: nn.Module) -> None:
        super().__init__()
        self.networks = networks
        self._frozen_parts: list[str] = []

    def settle(
        self,
        optimizer: Mapping[str, AdamSettings] | None,
        published: AdamSettings,
        freeze: Sequence[str],
        **needed: tuple[float, object | None],
    ) -> None:
        """Take the settings of the optimiser, and what does not learn, once all parts are there.

        Args:
            optimizer: Adam's settings by part; None: ``published`` for each.
            published: Adam's settings in the published code.
            freeze: patterns of parameter names that do not learn (``modules.optim.freeze``).
            needed: see ``modules.optim.check_parts``.

        Raises:
            UserError: a part is missing whose loss has a weight, or a name fits nothing.

        """
        parts = list(self.parts())
        self.optimizer_settings = dict.fromkeys(parts, published) if optimizer is None else dict(optimizer)
        optim.check_parts(parts, self.optimizer_settings, **needed)
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

    def compile_networks(self) -> None:
        """Let PyTorch compile each network as a whole, at its first use; names and weights stay."""
        for part in self.parts().values():
            if part is not None:
                part.compile()

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
