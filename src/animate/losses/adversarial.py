"""Adversarial losses: a discriminator's scores against what they should be, as a rule 1 for real, 0 for made.

Scores are one map, or one for each scale of a discriminator that has several; the scales are summed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from animate.ops.precision import at_least_float32

Criterion = Callable[[Tensor, float], Tensor]
"""From one map of scores and what it should be, 1.0 or 0.0, to a loss."""


def least_squares(score: Tensor, goal: float) -> Tensor:
    """``mean((goal - score)^2)``.

    Mao et al., "Least Squares Generative Adversarial Networks" (2017), equation 9.
    """
    return (goal - score).square().mean()


def cross_entropy(score: Tensor, goal: float) -> Tensor:
    """Mean binary cross entropy of ``sigmoid(score)``: scores are logits.

    Goodfellow et al., "Generative Adversarial Nets" (2014), with the generator's term that does not saturate.
    """
    score = at_least_float32(score)
    return F.binary_cross_entropy_with_logits(score, torch.full_like(score, goal))


def generator_loss(
    fake_score: Tensor | Sequence[Tensor], criterion: Criterion = least_squares, goal: float = 1.0
) -> Tensor:
    """Sum over scales of ``criterion(D(fake), goal)``, small when the made pictures are taken for real."""
    return _summed(fake_score, goal, criterion)


def discriminator_loss(
    real_score: Tensor | Sequence[Tensor],
    fake_score: Tensor | Sequence[Tensor],
    criterion: Criterion = least_squares,
    goals: tuple[float, float] = (1.0, 0.0),
) -> Tensor:
    """Sum over scales of ``criterion(D(real), 1) + criterion(D(fake), 0)``, small when they are told apart.

    pix2pixHD gives it the weight 1/2. ``goals`` are others for real and made pictures: 1 and -1, with 0 for
    the generator, minimise Pearson's chi-square divergence (Mao et al., 2017, equation 8).
    """
    return _summed(real_score, goals[0], criterion) + _summed(fake_score, goals[1], criterion)


def _summed(score: Tensor | Sequence[Tensor], goal: float, criterion: Criterion) -> Tensor:
    scores = [score] if isinstance(score, Tensor) else score
    return torch.stack([criterion(each, goal) for each in scores]).sum()
