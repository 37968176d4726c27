"""Seconds per FOMM training step at 256 x 256: the objective, its gradients and the Adam step.

``vox`` trains without, ``mgif`` with a discriminator; the perceptual network is a full-width VGG19 of random
weights, which costs what the pretrained one costs.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from animate.losses.perceptual import PerceptualLoss
from animate.modules.fomm import FOMM, LossWeights
from animate.networks.fomm import Discriminator, FirstOrderModel
from animate.networks.vgg import vgg19_random
from animate.training.allocator import keep_freed_memory
from animate.types import Batch
from benchmarks.report import Row, measure, spread

SIZE = 256


def stepper(adversarial: bool, batch_size: int, device: torch.device) -> Callable[[], None]:
    """Build one training step of the published sizes on random pictures, as train.py would take it."""
    if device.type == "cpu":
        keep_freed_memory()
    torch.manual_seed(0)
    module = FOMM(
        FirstOrderModel(jacobian="shared" if adversarial else "per_keypoint"),
        Discriminator(spectral_norm=True) if adversarial else None,
        PerceptualLoss(vgg19_random()),
        LossWeights(generator_gan=float(adversarial)),
    ).to(device, memory_format=torch.channels_last)
    optimizer = module.configure_optimizers()["optimizer"]  # type: ignore[index, call-overload]
    batch = Batch(
        frames=torch.rand(batch_size, 2, 3, SIZE, SIZE, device=device),
        frame_index=torch.zeros(batch_size, 2, dtype=torch.int64),
        clip=["random"] * batch_size,
        seed=list(range(batch_size)),
    )

    def step() -> None:
        loss = torch.stack(list(module.training_terms(batch).values())).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


def run(device: torch.device, runs: int) -> list[Row]:
    """One row per recipe."""
    rows = []
    for name, adversarial in (("vox-256", False), ("mgif-256", True)):
        seconds = measure(stepper(adversarial, 2, device), runs)
        rows.append(Row(recipe=name, batch=2, **spread(seconds, per=2)))
    return rows
