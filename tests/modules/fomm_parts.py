"""A model small enough to train in a test, and batches for it."""

from __future__ import annotations

import torch

from animate.losses.perceptual import PerceptualLoss
from animate.modules.fomm import FOMM, LossWeights
from animate.networks.fomm import Discriminator
from animate.networks.vgg import vgg19_random
from animate.types import Batch
from small import networks

KEYPOINTS = 3


def discriminator(**arguments) -> Discriminator:
    return Discriminator(KEYPOINTS, width=4, max_width=8, depth=3, **arguments)


def module(seed: int = 0, judge: Discriminator | None = None, **arguments) -> FOMM:
    """Without a discriminator the adversarial weight is 0."""
    torch.manual_seed(seed)
    weights = arguments.pop("loss_weights", LossWeights(generator_gan=0.0 if judge is None else 1.0))
    perceptual = PerceptualLoss(vgg19_random(0, 32), scales=2)
    model = networks(image_size=64, **arguments.pop("networks", {}))
    return FOMM(model, judge, perceptual, weights, **arguments)


def batch(size: int = 2, frames: int = 2, seed: int = 0) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    return Batch(
        frames=torch.rand(size, frames, 3, 64, 64, generator=generator),
        frame_index=torch.arange(frames).expand(size, -1),
        clip=[f"clip {index}" for index in range(size)],
        seed=[100 * seed + index for index in range(size)],
    )
