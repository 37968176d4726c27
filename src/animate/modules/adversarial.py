"""What adversarial methods have in common: a discriminator and a feature network beside the networks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from typing_extensions import override

from animate.losses.reconstruction import reconstruction_loss
from animate.modules.learner import Learner
from animate.modules.optim import AdamSettings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor, nn

    from animate.losses.perceptual import PerceptualLoss

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


class AdversarialModule(Learner):
    """Trains networks, perhaps against a discriminator, on the sum of both sides' terms.

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
        super().__init__(networks)
        self.loss_weights = loss_weights
        # DDP refuses parameters that get no gradient, so a discriminator without a weight is not kept.
        self.discriminator = discriminator if loss_weights.generator_gan else None
        self.perceptual = perceptual if loss_weights.perceptual else None
        self.settle(
            optimizer,
            ADAM,
            freeze,
            discriminator=(loss_weights.generator_gan, discriminator),
            perceptual=(loss_weights.perceptual, perceptual),
        )

    @override
    def compile_networks(self) -> None:
        """Compile the feature network as well."""
        super().compile_networks()
        if self.perceptual is not None:
            self.perceptual.compile()

    def reconstruction_terms(self, made: Tensor, real: Tensor) -> dict[str, Tensor]:
        """Tell how far pictures ``(N, 3, H, W)`` are from the true ones."""
        terms = {}
        if self.perceptual is not None:
            terms["perceptual"] = self.loss_weights.perceptual * self.perceptual(made, real)
        if self.loss_weights.reconstruction:
            terms["reconstruction"] = self.loss_weights.reconstruction * reconstruction_loss(made, real)
        return terms
