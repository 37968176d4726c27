"""Makes each checkpoint describe its networks, so that ``animate.checkpoints.load`` needs nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytorch_lightning import Callback
from typing_extensions import override

from animate.checkpoints import describe
from animate.checkpoints.description import KEY

if TYPE_CHECKING:
    from pytorch_lightning import LightningModule, Trainer


class Describe(Callback):
    """Puts the description under the key ``animate``.

    Args:
        architecture: a method in the closed table of ``animate.checkpoints``.
        module: has ``networks`` and perhaps a ``discriminator``, each with its plain ``arguments``.

    Raises:
        UserError: an argument is not one of the table's, or out of its bounds.

    """

    def __init__(self, architecture: str, module: Any) -> None:
        discriminator = None if module.discriminator is None else module.discriminator.arguments
        self.description = dict(describe(architecture, module.networks.arguments, discriminator))

    @override
    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Add the description."""
        checkpoint[KEY] = self.description
