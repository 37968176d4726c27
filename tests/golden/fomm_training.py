"""Losses, gradients and optimisation steps of a case, by our module."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from fomm_cases import scaled

from animate.checkpoints.convert.fomm import published_name
from animate.modules.fomm import FOMM
from animate.networks.fomm import Discriminator
from animate.ops.pyramid import ImagePyramid
from animate.ops.transform import RandomTransform
from animate.types import Batch

if TYPE_CHECKING:
    import pytest
    from fomm_cases import Case
    from pytorch_lightning.utilities.types import OptimizerLRScheduler
    from torch import Tensor

TERMS = {"gen_gan": "generator_gan", "disc_gan": "discriminator_gan"}
"""The published names of terms that have another name here."""


class TwoScales(FOMM):
    """The published discriminator at two scales: the sum of the terms of one of ours at each."""

    small: Discriminator

    def _generator_terms(self, discriminator: Discriminator, *pair: Tensor) -> dict[str, Tensor]:
        return self._summed(super()._generator_terms, discriminator, *pair)

    def _discriminator_terms(self, discriminator: Discriminator, *pair: Tensor) -> dict[str, Tensor]:
        return self._summed(super()._discriminator_terms, discriminator, *pair)

    def _summed(self, build, discriminator, fake, real, points) -> dict[str, Tensor]:
        halved = [ImagePyramid(2)(picture)[1] for picture in (fake, real)]
        large, small = build(discriminator, fake, real, points), build(self.small, *halved, points)
        return {name: large[name] + small[name] for name in large}

    def configure_optimizers(self) -> OptimizerLRScheduler:
        configured = super().configure_optimizers()
        settings = self.optimizer_settings["discriminator"]
        configured["optimizer"].add_param_group(
            {"params": self.small.parameters(), "name": "small", **settings}
        )
        return configured


def module_of(case: Case) -> FOMM:
    """Our module with the case's weights; the discriminator is there even where its weight is 0."""
    module = case.module()
    if case.scales == [1, 0.5]:
        module.__class__ = TwoScales
        module.small = Discriminator(**case.discriminator)
        case.fill(module.small, "discriminator.", 0.5)
    return module


def batch_of(case: Case, monkeypatch: pytest.MonkeyPatch, prefix: str) -> Batch:
    """The case's frames; the random transform becomes the one that the published code drew."""
    transform = case.transform(prefix + ("transform." if prefix.startswith("losses") else ""))
    monkeypatch.setattr(RandomTransform, "draw", classmethod(lambda *_: transform))
    frames = torch.stack([case.tensors[prefix + name] for name in ("source", "driving")], dim=1)
    return Batch(frames=frames, clip=["a", "b"], seed=[1, 2])


def terms_of(case: Case, module: FOMM, monkeypatch: pytest.MonkeyPatch) -> dict[str, Tensor]:
    """All terms, the discriminator's own also where its weight is 0."""
    batch = batch_of(case, monkeypatch, "losses.in.")
    if module.loss_weights.generator_gan:
        return module.training_terms(batch)
    judge, module.discriminator = module.discriminator, None
    terms = module.training_terms(batch)
    module.discriminator = judge
    source, driving = batch["frames"].unbind(1)
    detector = module.networks.keypoint_detector
    with torch.no_grad():
        keypoints = {"kp_source": detector(source), "kp_driving": detector(driving)}
        fake = module.networks.generator(source, **keypoints)["prediction"]
    return terms | module._discriminator_terms(judge, fake, driving, keypoints["kp_driving"]["value"])


def gradients_of(module: FOMM, terms: dict[str, Tensor]) -> dict[str, Tensor]:
    """Gradients of the summed objective under the published names."""
    module.zero_grad()
    torch.stack(list(terms.values())).sum().backward()
    state = module.state_dict()
    return {theirs(name, state): parameter.grad for name, parameter in module.named_parameters()}


def theirs(name: str, state: dict[str, Tensor]) -> str:
    """The published name, that of the second discriminator included."""
    if not name.startswith("small."):
        return published_name(name, state)
    renamed = {key.replace("small.", "discriminator."): value for key, value in state.items()}
    return scaled(published_name(name.replace("small.", "discriminator."), renamed), 0.5)


def steps_of(
    case: Case, module: FOMM, monkeypatch: pytest.MonkeyPatch, count: int
) -> list[dict[str, Tensor]]:
    """Take optimisation steps in training mode; the terms of each, before it."""
    if not module.loss_weights.generator_gan:
        module.discriminator = None
    optimizer = module.train().configure_optimizers()["optimizer"]
    history = []
    for step in range(count):
        terms = module.training_terms(batch_of(case, monkeypatch, f"train_steps.in.step{step}."))
        optimizer.zero_grad()
        torch.stack(list(terms.values())).sum().backward()
        optimizer.step()
        history.append({name: term.detach() for name, term in terms.items()})
    return history
