"""The terms of pix2pixHD's objective: pictures judged together with the labels that they were made from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from animate.losses.adversarial import discriminator_loss, generator_loss
from animate.losses.feature_matching import multiscale_feature_matching_loss
from animate.modules import optim

if TYPE_CHECKING:
    from torch import Tensor

    from animate.networks.pix2pixhd import MultiscaleDiscriminator


@dataclass(frozen=True)
class LossWeights:
    """How much each term counts. A term of weight 0 is not computed.

    Wang et al., "High-Resolution Image Synthesis and Semantic Manipulation with Conditional GANs" (2018),
    with the weights of its code.

    Attributes:
        perceptual: of the feature network's distance.
        reconstruction: of the mean absolute difference of pixels; 0 in the published model.
        generator_gan: of the generator's adversarial term; at 0 there is neither discriminator nor feature
            matching.
        discriminator_gan: of the discriminator's own term.
        feature_matching: of the discriminator's features.

    """

    perceptual: float = 10.0
    reconstruction: float = 0.0
    generator_gan: float = 1.0
    discriminator_gan: float = 0.5
    feature_matching: float = 10.0


def adversarial_terms(
    discriminator: MultiscaleDiscriminator,
    condition: Tensor,
    fake: Tensor,
    real: Tensor,
    weights: LossWeights,
) -> dict[str, Tensor]:
    """Build the terms of both sides, by name, from one pass of the generator.

    The discriminator is frozen for the generator's terms; its own are built on the detached pictures.

    Args:
        discriminator: judges.
        condition: (B, C, H, W) what was to be shown.
        fake: (B, 3 k, H, W) RGB in [0, 1], k frames one after the other.
        real: the same, as it was.
        weights: see above.

    """
    with optim.frozen(discriminator):
        made = discriminator(condition, fake)
        scores = [judged.score for judged in made]
        terms = {"generator_gan": weights.generator_gan * generator_loss(scores)}
        if weights.feature_matching:
            with torch.no_grad():
                goal = discriminator(condition, real)
            distance = multiscale_feature_matching_loss(
                [judged.features for judged in made], [judged.features for judged in goal]
            )
            terms["feature_matching"] = weights.feature_matching * distance
    if optim.learns(discriminator):
        fake_score = [judged.score for judged in discriminator(condition, fake.detach())]
        real_score = [judged.score for judged in discriminator(condition, real)]
        loss = discriminator_loss(real_score=real_score, fake_score=fake_score)
        terms["discriminator_gan"] = weights.discriminator_gan * loss
    return terms
