"""One optimiser for several networks, and parts that do not learn."""

from __future__ import annotations

from contextlib import contextmanager
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, TypedDict

import torch
from torch import nn

from animate.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pytorch_lightning as pl
    from torch import Tensor


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
        UserError: the settings of a network are missing, or a value is out of its range.

    """
    missing = sorted(set(networks) - set(settings))
    if missing:
        raise UserError(f"model.optimizer has no settings for {', '.join(missing)}: give lr and betas")
    groups = []
    for name, network in networks.items():
        parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
        if parameters:
            groups.append({"params": parameters, "name": name, **_checked(settings[name], name)})
    on_cpu = all(parameter.device.type == "cpu" for group in groups for parameter in group["params"])
    # One pass over the weights in place of ten. On GPUs the default is as fast, and lets Lightning clip
    # gradients of float16 training.
    return torch.optim.Adam(groups, fused=True if on_cpu else None)


def _checked(settings: AdamSettings, name: str) -> dict[str, Any]:
    """Return the settings as Adam takes them, which checks only its defaults and no group's."""
    lr, betas = settings["lr"], tuple(settings["betas"])
    if lr < 0:
        raise UserError(f"model.optimizer.{name}.lr={lr}: a learning rate is at least 0")
    if len(betas) != 2 or not all(0 <= beta < 1 for beta in betas):
        raise UserError(
            f"model.optimizer.{name}.betas={list(betas)}: two rates of decay in [0, 1) are needed"
        )
    return {"lr": lr, "betas": betas}


def linear_decay(
    optimizer: torch.optim.Optimizer, constant_epochs: int, decay_epochs: int, final: float = 0.0
) -> torch.optim.lr_scheduler.LambdaLR:
    """Keep every learning rate for ``constant_epochs``; then let it fall, to 0 after ``decay_epochs`` more.

    Epoch e, counted from 0, has the factor ``1 - max(0, e - constant_epochs) / decay_epochs``, as in
    pix2pixHD's code: the last epoch still learns at ``1 / decay_epochs``. With ``final`` it falls to that
    share of the rate, in as many steps, and stays there.
    """

    def factor(epoch: int) -> float:
        gone = min(max(0, epoch - constant_epochs) / max(decay_epochs, 1), 1.0)
        return 1.0 - (1.0 - final) * gone

    return torch.optim.lr_scheduler.LambdaLR(optimizer, factor)


def check_parts(
    parts: Sequence[str], settings: Mapping[str, AdamSettings], **needed: tuple[float, object | None]
) -> None:
    """Refuse what cannot be trained, before any data is touched.

    Args:
        parts: the names that ``settings`` may have.
        settings: Adam's, by part.
        needed: by the name of an argument, the weight of the loss that needs it, and the argument. The weight
            of the discriminator's is ``generator_gan``, else it has the argument's own name.

    Raises:
        UserError: names the setting.

    """
    unknown = sorted(set(settings) - set(parts))
    if unknown:
        raise UserError(f"model.optimizer names {', '.join(unknown)}; the parts are {', '.join(parts)}")
    for name, (weight, part) in needed.items():
        if weight and part is None:
            loss = "generator_gan" if name == "discriminator" else name
            raise UserError(f"model.{name} is missing: give one, or set model.loss_weights.{loss}=0")


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


def logged_sum(module: pl.LightningModule, terms: Mapping[str, Tensor], size: int) -> Tensor:
    """Sum the terms of an objective, and log each as ``train/<name>`` and the sum as ``train/loss``.

    ``size`` is the number of samples, over which an epoch's mean is weighted. Of several processes the mean
    is logged, at those steps that reach a logger; between them a progress bar shows the first one's.
    """
    loss = torch.stack(list(terms.values())).sum()
    values = _over_ranks(module, torch.stack([*terms.values(), loss]).detach())
    module.log_dict({f"train/{name}": v for name, v in zip(terms, values, strict=False)}, batch_size=size)
    module.log("train/loss", values[-1], prog_bar=True, batch_size=size)
    return loss


def _over_ranks(module: pl.LightningModule, values: Tensor) -> Tensor:
    trainer = module._trainer
    if trainer is None or trainer.world_size == 1 or not trainer._logger_connector.should_update_logs:
        return values
    mean: Tensor = trainer.strategy.reduce(values.clone(), reduce_op="mean")
    return mean
