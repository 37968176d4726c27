"""Inpainting: how a background network learns to fill holes, and how that is scored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol

import torch
from torch import Tensor
from typing_extensions import override

from animate.losses.adversarial import discriminator_loss, generator_loss
from animate.modules import optim
from animate.modules.adversarial import AdversarialModule
from animate.networks.inpainting import composite, masked
from animate.types import Batch, StepOutput

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import nn
    from torch.optim import Optimizer
    from torch.optim.lr_scheduler import LRScheduler

    from animate.losses.perceptual import PerceptualLoss
    from animate.modules.optim import AdamSettings
    from animate.networks.inpainting import BackgroundInpainter, GlobalLocalDiscriminator

REAL, MADE, FOOLED = 1.0, -1.0, 0.0
"""What scores should be: of true pictures, of made ones, and of made ones where the generator learns."""


SMALLEST_SQUARE = 1e-6
"""Of differences, so that the root has a gradient where a hole is filled perfectly."""


class FaceDistance(Protocol):
    """How far faces are from the true ones. A network that knows faces is not part of this project.

    No ``nn.Module``, so that a checkpoint does not hold it (``losses.perceptual`` says how that is done).
    """

    def __call__(self, made: Tensor, true: Tensor) -> Tensor:
        """Compare (B, 3, H, W) pictures in [0, 1]; a scalar."""


@dataclass(frozen=True)
class InpaintingWeights:
    """How much each term counts. A term of weight 0 is not computed.

    Liu et al., "Liquid Warping GAN" (2019), with the weights of its code for the background network.

    Attributes:
        perceptual: of the feature network's distance.
        reconstruction: of the mean absolute difference of pixels, in [-1, 1] as published, over the picture.
        hole: likewise, over the hole alone; 0 in the published program.
        hole_rms: of the root mean square difference over each hole, which PSNR is the logarithm of; 0 in the
            published program.
        face: of the distance of faces; 0 here, since scenes show none.
        generator_gan: of the generator's adversarial term; at 0 there is no discriminator.
        discriminator_gan: of the discriminator's own term.

    """

    perceptual: float = 10.0
    reconstruction: float = 10.0
    hole: float = 0.0
    hole_rms: float = 0.0
    face: float = 0.0
    generator_gan: float = 1.0
    discriminator_gan: float = 1.0


class Inpainting(AdversarialModule):
    """The background network of Impersonator on scenes with holes in the shape of other people.

    What is judged by all terms is the network's own picture, hole and surroundings, because the original
    program shows it so; only when it is scored the true picture stands around the hole.

    Args:
        networks: the background network.
        discriminator: needed where ``loss_weights.generator_gan`` is not 0, else left out.
        perceptual: needed where ``loss_weights.perceptual`` is not 0.
        face: needed where ``loss_weights.face`` is not 0.
        loss_weights: what counts how much.
        optimizer: Adam's settings of ``background`` and ``discriminator``.
        constant_epochs: for so long the learning rates stay.
        decay_epochs: then they fall in equal steps, to ``final_rate`` of what they were.
        final_rate: see ``decay_epochs``; published are 2e-4 and 2e-6.
        freeze: patterns of parameter names that do not learn (``modules.optim.freeze``).

    Raises:
        UserError: a part is missing whose loss has a weight, or a name fits nothing.

    """

    TRUTH: ClassVar[tuple[str, ...]] = ("hole_mask",)
    """What evaluation reads along with the frames."""

    networks: BackgroundInpainter
    discriminator: GlobalLocalDiscriminator | None
    loss_weights: InpaintingWeights

    def __init__(
        self,
        networks: BackgroundInpainter,
        discriminator: GlobalLocalDiscriminator | None = None,
        perceptual: PerceptualLoss | None = None,
        face: FaceDistance | None = None,
        loss_weights: InpaintingWeights | None = None,
        optimizer: Mapping[str, AdamSettings] | None = None,
        constant_epochs: int = 5,
        decay_epochs: int = 25,
        final_rate: float = 0.01,
        freeze: Sequence[str] = (),
    ) -> None:
        weights = loss_weights or InpaintingWeights()
        super().__init__(networks, discriminator, perceptual, weights, optimizer, freeze)
        optim.check_parts(list(self.parts()), {}, face=(weights.face, face))
        self.face = face
        self.constant_epochs, self.decay_epochs, self.final_rate = constant_epochs, decay_epochs, final_rate

    @override
    def parts(self) -> dict[str, nn.Module | None]:
        """Name the two sides."""
        return {"background": self.networks, "discriminator": self.discriminator}

    @override
    def schedule(self, optimizer: Optimizer) -> LRScheduler:
        """Let the learning rates fall linearly in the end."""
        return optim.linear_decay(optimizer, self.constant_epochs, self.decay_epochs, self.final_rate)

    @override
    def training_terms(self, batch: Batch) -> dict[str, Tensor]:
        """Build every weighted term of the objective, by name, of scenes with holes; log the holes' share."""
        true, hole = batch["frames"].flatten(0, 1), batch["hole_mask"].flatten(0, 1)
        self.log("train/hole_share", hole.mean(), batch_size=len(batch["frames"]))
        made = self.networks.background(masked(true, hole))
        terms = self.reconstruction_terms(made, true)
        if self.loss_weights.hole:
            terms["hole"] = self.loss_weights.hole * hole_loss(made, true, hole)
        if self.loss_weights.hole_rms:
            terms["hole_rms"] = self.loss_weights.hole_rms * hole_rms_loss(made, true, hole)
        if self.face is not None and self.loss_weights.face:
            terms["face"] = self.loss_weights.face * self.face(made, true)
        if self.discriminator is not None:
            terms |= self._adversarial_terms(self.discriminator, made, true, hole)
        return terms

    @override
    def reconstruction_terms(self, made: Tensor, real: Tensor) -> dict[str, Tensor]:
        """As in other methods, but pixels are compared in [-1, 1], where they differ twice as much."""
        terms = super().reconstruction_terms(made, real)
        return {name: 2 * term if name == "reconstruction" else term for name, term in terms.items()}

    def _adversarial_terms(
        self, discriminator: GlobalLocalDiscriminator, made: Tensor, true: Tensor, hole: Tensor
    ) -> dict[str, Tensor]:
        """Both sides' least squares: true pictures at 1, made ones at -1, and at 0 for the generator."""
        weights = self.loss_weights
        with optim.frozen(discriminator):
            judged = [judgement.score for judgement in discriminator(made, hole, true)]
        terms = {"generator_gan": weights.generator_gan * generator_loss(judged, goal=FOOLED)}
        if optim.learns(discriminator):
            seen, fake = (
                [judgement.score for judgement in discriminator(pictures, hole, true)]
                for pictures in (true, made.detach())
            )
            loss = discriminator_loss(real_score=seen, fake_score=fake, goals=(REAL, MADE))
            terms["discriminator_gan"] = weights.discriminator_gan * loss
        return terms

    @override
    def reconstruct(self, batch: Batch) -> StepOutput:
        """Fill frames 1 to T - 1 of each of B scenes: N = B (T - 1). Each frame by itself.

        The prediction is the network's picture in the hole and the true one around it; the source is what the
        network is shown, black in the hole.
        """
        rest, each = slice(1, None), batch["frames"].shape[1] - 1
        true, hole = batch["frames"][:, rest].flatten(0, 1), batch["hole_mask"][:, rest].flatten(0, 1)
        made = self.networks.background(masked(true, hole))
        return StepOutput(
            prediction=composite(made, true, hole),
            target=true,
            source=true * (1 - hole),
            mask=hole,
            clip=[name for name in batch["clip"] for _ in range(each)],
            frame=batch["frame_index"][:, rest].flatten().tolist(),
            pictures={"background": made},
        )


def hole_loss(made: Tensor, true: Tensor, hole: Tensor) -> Tensor:
    """Mean absolute difference in [-1, 1] over the pixels of all holes; 0 where there are none.

    Args:
        made: (N, 3, H, W) in [0, 1].
        true: the same.
        hole: (N, 1, H, W) in [0, 1].

    """
    difference = (made - true).abs() * hole
    return 2 * torch.sum(difference) / (3 * hole.sum()).clamp_min(1)


def hole_rms_loss(made: Tensor, true: Tensor, hole: Tensor) -> Tensor:
    """Root mean square difference in [-1, 1] over each hole, averaged over pictures; see :func:`hole_loss`.

    Nearly: ``SMALLEST_SQUARE`` is added under the root.
    """
    squares = ((made - true).square() * hole).sum((1, 2, 3)) / (3 * hole.sum((1, 2, 3))).clamp_min(1)
    return 2 * (squares + SMALLEST_SQUARE).sqrt().mean()
