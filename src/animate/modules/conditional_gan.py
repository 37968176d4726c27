"""The terms of pix2pixHD's objective: pictures judged together with the labels that they were made from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from animate.losses.adversarial import discriminator_loss, generator_loss
from animate.losses.feature_matching import multiscale_feature_matching_loss
from animate.modules import optim

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from animate.networks.judgement import Judgement
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

    The discriminator is frozen for the generator's terms; its own are built on the detached pictures. What it
    says of the true ones serves both.

    Args:
        discriminator: judges.
        condition: (B, C, H, W) what was to be shown.
        fake: (B, 3 k, H, W) RGB in [0, 1], k frames one after the other.
        real: the same, as it was.
        weights: see above.

    """
    learns = optim.learns(discriminator)
    terms = {}
    # In the published order, which a batch norm's running statistics show.
    made = _scores(discriminator(condition, fake.detach())) if learns else []
    with torch.set_grad_enabled(learns and torch.is_grad_enabled()):
        seen = discriminator(condition, real)
    with optim.frozen(discriminator):
        judged = discriminator(condition, fake)
    terms["generator_gan"] = weights.generator_gan * generator_loss(_scores(judged))
    if weights.feature_matching:
        matched = ([scale.features for scale in scales] for scales in (judged, seen))
        terms["feature_matching"] = weights.feature_matching * multiscale_feature_matching_loss(*matched)
    if learns:
        loss = discriminator_loss(real_score=_scores(seen), fake_score=made)
        terms["discriminator_gan"] = weights.discriminator_gan * loss
    return terms


def _scores(judgements: Sequence[Judgement]) -> list[Tensor]:
    return [judged.score for judged in judgements]
