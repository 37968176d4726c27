"""Averaged weights: what validation, ``best.ckpt`` and every export use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytorch_lightning.callbacks import EMAWeightAveraging
from typing_extensions import override

if TYPE_CHECKING:
    from pytorch_lightning import LightningModule, Trainer


class EMA(EMAWeightAveraging):
    """Exponential moving average of the weights and of the running statistics, one update per optimiser step.

    A checkpoint's ``state_dict`` holds the average; the weights that training goes on with stand beside it.

    Args:
        decay: share of the old average that a step keeps, in [0, 1).

    """

    def __init__(self, decay: float = 0.999) -> None:
        if not 0 <= decay < 1:
            raise ValueError(f"the decay is a share in [0, 1), not {decay}")
        super().__init__(decay=decay)
        self._swapped = False

    @override
    def _swap_models(self, pl_module: LightningModule) -> None:
        super()._swap_models(pl_module)
        self._swapped = not self._swapped

    @override
    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """File both sets of weights under their names, also in a validation, where they are swapped."""
        super().on_save_checkpoint(trainer, pl_module, checkpoint)
        if self._swapped:
            average, current = checkpoint["current_model_state"], checkpoint["state_dict"]
            checkpoint["state_dict"], checkpoint["current_model_state"] = average, current
