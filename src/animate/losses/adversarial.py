"""Least-squares adversarial losses.

Mao et al., "Least Squares Generative Adversarial Networks" (2017), equation 9: real is 1, made is 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def generator_loss(fake_score: Tensor) -> Tensor:
    """``mean((1 - D(fake))^2)``, small when the made pictures are taken for real. Scores of any shape."""
    return (1 - fake_score).square().mean()


def discriminator_loss(real_score: Tensor, fake_score: Tensor) -> Tensor:
    """``mean((1 - D(real))^2) + mean(D(fake)^2)``, small when the two are told apart. Scores of any shape."""
    return (1 - real_score).square().mean() + fake_score.square().mean()
