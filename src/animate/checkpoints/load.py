"""From a checkpoint file to networks, without the code that trained them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

import torch

from animate.checkpoints.architectures import ARCHITECTURES, Part
from animate.checkpoints.description import description_of
from animate.checkpoints.files import read
from animate.checkpoints.keys import differences
from animate.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor, nn

    from animate.networks.fomm import FirstOrderModel
    from animate.networks.inpainting import BackgroundInpainter
    from animate.networks.pix2pixhd import Pix2PixHD
    from animate.networks.u2net import U2NetMatting


@overload
def load(
    path: str | Path, device: str | torch.device = "cpu", *, method: Literal["fomm"]
) -> FirstOrderModel: ...
@overload
def load(
    path: str | Path, device: str | torch.device = "cpu", *, method: Literal["pix2pixhd"]
) -> Pix2PixHD: ...
@overload
def load(
    path: str | Path, device: str | torch.device = "cpu", *, method: Literal["u2net"]
) -> U2NetMatting: ...
@overload
def load(
    path: str | Path, device: str | torch.device = "cpu", *, method: Literal["inpainting"]
) -> BackgroundInpainter: ...
@overload
def load(path: str | Path, device: str | torch.device = "cpu") -> nn.Module: ...
def load(path: str | Path, device: str | torch.device = "cpu", *, method: str | None = None) -> nn.Module:
    """Rebuild the networks of a checkpoint, in evaluation mode.

    Needs nothing but the file: its description names the architecture and every argument. The file is read
    with ``weights_only=True``. Where a run keeps an average of its weights, the file holds the average.

    Args:
        path: A checkpoint of ``animate train`` or ``animate convert``.
        device: Where the networks are wanted.
        method: The architecture that is needed; None takes any that this version knows.

    Raises:
        UserError: The file is missing, damaged, of another tool, of another method or of a newer format, or
            its tensors are not those of the networks that it describes (all of them are listed).

    """
    path = Path(path)
    checkpoint = read(path)
    description = description_of(checkpoint, path)
    found = description["architecture"]
    if method not in (None, found):
        raise UserError(f"{path} holds networks of the method {found}; this works with those of {method}")
    part = ARCHITECTURES[found].networks
    networks = build(part, description["networks"], state_of(checkpoint, "networks", path), path)
    return networks.to(device).eval()


def build(part: Part, arguments: Mapping[str, Any], state: Mapping[str, Tensor], path: Path) -> nn.Module:
    """Build a network of the table and give it the tensors of ``state``.

    Raises:
        UserError: The arguments do not fit together, or the tensors are not those of the network.

    """
    refuse_differences(skeleton(part, arguments, path).state_dict(), state, path)
    network = part.build(**arguments)
    network.load_state_dict(state)
    return network


def skeleton(part: Part, arguments: Mapping[str, Any], path: Path) -> nn.Module:
    """Build a network without memory for its tensors, so that shapes can be compared before any is taken."""
    try:
        with torch.device("meta"):
            return part.build(**arguments)
    except (UserError, ValueError) as error:
        raise UserError(f"{path} describes a network that cannot be built: {error}") from error


def state_of(checkpoint: Mapping[str, Any], name: str, path: Path) -> dict[str, Tensor]:
    """Take the tensors of one part (``networks``, ``discriminator``) out of a checkpoint's state."""
    state = checkpoint.get("state_dict")
    if not isinstance(state, Mapping):
        raise UserError(f"{path} has a description but no weights (no state_dict)")
    prefix = f"{name}."
    return {key.removeprefix(prefix): value for key, value in state.items() if str(key).startswith(prefix)}


def refuse_differences(expected: Mapping[str, Tensor], found: Mapping[str, Tensor], path: Path) -> None:
    """Raise a UserError that lists every key of ``found`` that is missing, unknown or misshaped."""
    unlike = differences(expected, found)
    if unlike:
        raise UserError(f"the weights in {path} do not fit the networks: {unlike}")
