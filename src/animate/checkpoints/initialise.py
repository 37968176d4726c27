"""Starting a training from the weights of another (``init_from=``)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from animate.checkpoints.architectures import ARCHITECTURES
from animate.checkpoints.description import description_of
from animate.checkpoints.files import read
from animate.checkpoints.keys import differences
from animate.checkpoints.load import refuse_differences, state_of
from animate.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor, nn


@runtime_checkable
class Widening(Protocol):
    """A network that takes the weights of one with fewer inputs."""

    def widened(
        self, state: Mapping[str, Tensor], arguments: Mapping[str, Any]
    ) -> tuple[dict[str, Tensor], str]:
        """Add to the state of another, of these arguments, what it lacks; also say in words what that is."""


class Trained(Protocol):
    """A module that has networks and perhaps a discriminator, as every LightningModule of ours."""

    @property
    def networks(self) -> nn.Module:
        """What is kept after training."""

    @property
    def discriminator(self) -> nn.Module | None:
        """The adversary, where the objective has one."""


def initialise(module: Trained, path: str | Path) -> str:
    """Give a module the weights of a checkpoint; optimisers, epochs and schedules start anew.

    The networks must fit key by key, but for parts that they name in ``OPTIONAL``: those start anew where the
    file has none or another, so that one stage of training can add to the one before. Their image size may
    differ: it changes the scale factors, which are computed and not loaded, and no weight. A discriminator is
    taken when the file has one of the same shape, else it starts anew: ``vox`` to ``vox_adv`` changes its
    inputs. Where networks look at the previous frame and those of the file do not, ``widened`` gives the new
    inputs weights of 0, so that a training over time begins with exactly the pictures of the one before it;
    likewise for the frames that the discriminator judges together.

    Args:
        module: With ``networks`` and ``discriminator`` (or None).
        path: A checkpoint of ``animate train`` or ``animate convert``.

    Returns:
        One line that tells what was loaded and what was not.

    Raises:
        UserError: As in ``load``; the keys that do not fit are all listed. The module is as it was then.

    """
    path = Path(path)
    checkpoint = read(path)
    description = description_of(checkpoint, path)
    architecture = description["architecture"]
    if type(module.networks) is not ARCHITECTURES[architecture].networks.build:
        raise UserError(
            f"{path} holds a {architecture} model; this run trains a {type(module.networks).__name__}"
        )
    state, added = _widened(module.networks, state_of(checkpoint, "networks", path), description["networks"])
    taken = ", ".join(filter(None, [_networks(module.networks, state, path), added]))
    size = description["networks"].get("image_size")
    what = architecture if size is None else f"{architecture}, {size} px"
    state, added = _widened(
        module.discriminator, state_of(checkpoint, "discriminator", path), description["discriminator"]
    )
    adversary = _discriminator(module.discriminator, state, added)
    return f"initialised from {path} ({what}): networks, {taken}; {adversary}"


def _widened(
    network: nn.Module | None, state: dict[str, Tensor], arguments: Mapping[str, Any] | None
) -> tuple[dict[str, Tensor], str]:
    """Let a network that can fit weights for fewer inputs to its own; also say in words what was added."""
    if not isinstance(network, Widening) or not state or arguments is None:
        return state, ""
    return network.widened(state, arguments)


def _networks(networks: nn.Module, state: dict[str, Tensor], path: Path) -> str:
    """Load what fits, optional parts as a whole or not at all; tell how much, and what starts anew."""
    own, anew = networks.state_dict(), []
    for part in getattr(networks, "OPTIONAL", ()):
        ours, theirs = _of_part(own, part), _of_part(state, part)
        if differences(ours, theirs):
            anew += [f"{part} starts anew" if ours else f"{part} of the file is not used"]
            state = {key: value for key, value in state.items() if key not in theirs} | ours
    refuse_differences(own, state, path)
    networks.load_state_dict(state)
    count = sum(state[key] is not own[key] for key in own)
    return ", ".join([f"{count} tensors", *anew])


def _of_part(state: Mapping[str, Tensor], part: str) -> dict[str, Tensor]:
    return {key: value for key, value in state.items() if key.startswith(f"{part}.")}


def _discriminator(discriminator: nn.Module | None, state: dict[str, Tensor], added: str) -> str:
    """Load the discriminator where both sides have one of the same shape; tell what happened."""
    if discriminator is None:
        return "the discriminator of the file is not used" if state else "no discriminator"
    if not state:
        return "the discriminator starts anew (the file has none)"
    unlike = differences(discriminator.state_dict(), state)
    if unlike:
        return f"the discriminator starts anew (that of the file is another: {unlike})"
    discriminator.load_state_dict(state)
    return ", ".join(filter(None, [f"discriminator, {len(state)} tensors", added]))
