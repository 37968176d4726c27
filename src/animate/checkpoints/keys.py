"""Comparing the tensors that a file holds with those that a network has, in one line."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Path = tuple[str, ...]


def differences(expected: Mapping[str, Tensor], found: Mapping[str, object]) -> str | None:
    """List every key that is missing, not known, of another shape or hollow, folded into one line.

    A tensor in a file may repeat one number along its axes, share its numbers with others or have none at
    all: a few bytes then ask for a network of any size, and are refused before it is built. PyTorch would
    take complex numbers, and leave their imaginary parts out.

    Args:
        expected: The state of the network.
        found: The state from the file; values that are not tensors are listed as such.

    Returns:
        ``"missing: a.{b,c}; unexpected: d; misshaped: e is 3x4 instead of 3x5"`` or None when all agree.

    """
    unlike = [
        f"{key} is {_shape(found[key])} instead of {_shape(tensor)}"
        for key, tensor in expected.items()
        if key in found and _shape(found[key]) != _shape(tensor)
    ]
    lists = {
        "missing": [key for key in expected if key not in found],
        "unexpected": [key for key in found if key not in expected],
        "misshaped": unlike,
        "complex numbers": [key for key in expected if _is_complex(found.get(key))],
        "larger than what is stored": _hollow([key for key in expected if key in found], found),
    }
    return "; ".join(f"{what}: {fold(keys)}" for what, keys in lists.items() if keys) or None


def fold(names: Iterable[str]) -> str:
    """Write dotted names in the shortest way a shell would expand: ``a.{b,c}.{0..3}.weight``.

    >>> fold(["r0.conv.weight", "r0.conv.bias", "r1.conv.weight", "r1.conv.bias", "final"])
    '{r0,r1}.conv.{weight,bias}, final'
    """
    return ", ".join(_fold([tuple(printable(name).split(".")) for name in dict.fromkeys(names)]))


def printable(name: object) -> str:
    """Write a name that stands in a file so that it can harm neither a line nor a terminal."""
    return "".join(character if character.isprintable() else "?" for character in str(name))


def _fold(paths: list[Path]) -> list[str]:
    """Group names by their first part, then put those with the same rest together."""
    rests: dict[str, list[Path]] = {}
    for head, *rest in paths:
        rests.setdefault(head, []).append(tuple(rest))
    heads: dict[tuple[Path, ...], list[str]] = {}
    for head, tails in rests.items():
        heads.setdefault(tuple(tails), []).append(head)
    return [name for tails, same in heads.items() for name in _join(_either(same), tails)]


def _join(head: str, tails: tuple[Path, ...]) -> list[str]:
    inner = _fold([tail for tail in tails if tail])
    names = [head] if () in tails else []
    return [*names, f"{head}.{_either(inner)}"] if inner else names


def _either(names: list[str]) -> str:
    if len(names) == 1:
        return names[0]
    if len(names) > 2 and all(name.isdigit() for name in names):
        numbers = [int(name) for name in names]
        if numbers == list(range(numbers[0], numbers[-1] + 1)):
            return f"{{{numbers[0]}..{numbers[-1]}}}"
    return "{" + ",".join(names) + "}"


def _hollow(names: Iterable[str], found: Mapping[str, object]) -> list[str]:
    """Name the tensors that show more bytes than the memory behind them holds for all of them."""
    tensors = {name: value for name in names if isinstance(value := found[name], Tensor) and _is_dense(value)}
    claimed: Counter[int] = Counter()
    for tensor in tensors.values():
        claimed[tensor.untyped_storage().data_ptr()] += tensor.nbytes
    return [
        name
        for name, tensor in tensors.items()
        if tensor.is_meta or claimed[tensor.untyped_storage().data_ptr()] > tensor.untyped_storage().nbytes()
    ]


def _is_dense(tensor: Tensor) -> bool:
    return tensor.layout is torch.strided


def _shape(value: object) -> str:
    if not isinstance(value, Tensor):
        return f"a {type(value).__name__}"
    if not _is_dense(value):
        return f"a tensor of the layout {value.layout}"
    return "x".join(str(side) for side in value.shape) or "a single number"


def _is_complex(value: object) -> bool:
    return isinstance(value, Tensor) and value.is_complex()
