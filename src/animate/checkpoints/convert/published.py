"""What converting published files has in common: reading them safely, and taking every tensor by its name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from animate.checkpoints.files import UnsafePickleError, read
from animate.checkpoints.keys import differences
from animate.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from torch import Tensor

COUNT = ".num_batches_tracked"


def refuse_existing(output: Path, overwrite: bool) -> None:
    """Raise a UserError where ``output`` exists and is not to be replaced."""
    if output.exists() and not overwrite:
        raise UserError(f"{output} exists; name another --output or pass --overwrite")


def read_published(path: Path, allow_pickle: bool) -> dict[str, Any]:
    """Read a published file as ``files.read`` does; tell which option reads one that can run code."""
    try:
        return read(path, allow_pickle=allow_pickle)
    except UnsafePickleError as error:
        raise UserError(
            f"{error}: reading it could run code that stands in it; if you trust where it comes from, pass "
            "--allow-pickle"
        ) from error


def names(layers: Iterable[tuple[str, str]], ours: Iterable[str]) -> dict[str, str]:
    """Give the published name of each of our tensors.

    Args:
        layers: Names of layers, ours and the published one.
        ours: Names of tensors, such as ``trunk.stem.conv.weight``.

    """
    of_layer = dict(layers)
    split = [name.rsplit(".", 1) for name in ours]
    return {f"{layer}.{leaf}": f"{of_layer[layer]}.{leaf}" for layer, leaf in split}


def take(
    expected: Mapping[str, Tensor], names: Mapping[str, str], published: Mapping[str, Any], complaint: str
) -> dict[str, Tensor]:
    """Give the tensors of a published state our names; all must be there, of the right shape, and no others.

    Args:
        expected: Our state, of the right shapes.
        names: The published name of each of our names.
        published: The published state.
        complaint: What to say before the list of what does not fit, in published names.

    Raises:
        UserError: Something does not fit.

    """
    # Torch before 0.4.1 counted no batches; the count plays no part with a fixed momentum.
    counts = {name: torch.zeros((), dtype=torch.long) for name in names.values() if name.endswith(COUNT)}
    found = counts | dict(published)
    unlike = differences({names[name]: tensor for name, tensor in expected.items()}, found)
    if unlike:
        raise UserError(f"{complaint}: {unlike}")
    return {name: found[names[name]] for name in expected}
