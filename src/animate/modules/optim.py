"""One optimiser for several networks, and parts that do not learn."""

from __future__ import annotations

from contextlib import contextmanager
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, TypedDict

import torch
from torch import nn

from animate.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


class AdamSettings(TypedDict):
    """Adam's settings for one network."""

    lr: float
    """Learning rate. At 0 the weights stand still but batch statistics move on: that is not freezing."""
    betas: Sequence[float]
    """The two decay rates of the moments."""


def grouped_adam(networks: Mapping[str, nn.Module], settings: Mapping[str, AdamSettings]) -> torch.optim.Adam:
    """Make one Adam with a named parameter group for each network.

    Adam treats every parameter by itself, so this is the same update as one Adam per network. Parameters
    without gradient (frozen ones) are left out, and so is the group of a network that has no others.

    Raises:
        UserError: the settings of a network are missing.

    """
    missing = sorted(set(networks) - set(settings))
    if missing:
        raise UserError(f"model.optimizer has no settings for {', '.join(missing)}: give lr and betas")
    groups = []
    for name, network in networks.items():
        parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
        if parameters:
            first, second = settings[name]["betas"]
            lr = settings[name]["lr"]
            groups.append({"params": parameters, "lr": lr, "betas": (first, second), "name": name})
    return torch.optim.Adam(groups)


def freeze(module: nn.Module, patterns: Sequence[str]) -> list[str]:
    """Take the parameters whose names match out of learning, for good.

    A pattern is a shell pattern over full parameter names (``networks.keypoint_detector.*``), ``*`` crossing
    dots; the name of a part (``networks.generator.dense_motion``) stands for everything in it. To be called
    before DDP wraps the module: DDP decides then what it reduces.

    Returns:
        The names of the parts that are frozen as a whole. The caller keeps them in eval mode whenever it
        switches to training: their running statistics and power iterations must stand still too. Names and
        not the parts, because SyncBatchNorm later takes the place of some.

    Raises:
        UserError: a pattern matches no parameter, or nothing is left to learn.

    """
    names = [name for name, _ in module.named_parameters()]
    for pattern in patterns:
        if not any(_matches(name, pattern) for name in names):
            parts = ", ".join(sorted({".".join(name.split(".")[:2]) for name in names}))
            raise UserError(f"model.freeze: {pattern!r} matches no parameter; parts are {parts}")
    for name, parameter in module.named_parameters():
        if any(_matches(name, pattern) for pattern in patterns):
            parameter.requires_grad_(False)
    if not learns(module):
        raise UserError("model.freeze leaves nothing to learn: its patterns match every parameter")
    held = {name: list(part.parameters()) for name, part in module.named_modules()}
    return [name for name, those in held.items() if those and not any(p.requires_grad for p in those)]


def _matches(name: str, pattern: str) -> bool:
    return fnmatchcase(name, pattern) or fnmatchcase(name, f"{pattern}.*")


def learns(module: nn.Module) -> bool:
    """Whether any parameter of a module gets a gradient."""
    return any(parameter.requires_grad for parameter in module.parameters())


@contextmanager
def frozen(module: nn.Module) -> Iterator[None]:
    """Keep gradients from the parameters of a module while a term is built in which it only judges.

    Gradients still flow through the module to its input. Parameters that were frozen before stay so.
    """
    learning = [parameter for parameter in module.parameters() if parameter.requires_grad]
    for parameter in learning:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in learning:
            parameter.requires_grad_(True)
