"""Background networks of Impersonator and iPERCore as their programs save them, to ours and back.

``net_epoch_30_id_G.pth`` of Impersonator (Liu et al., 2019) holds a whole generator: ``bg_model.*`` is its
background network. iPERCore (Liu et al., 2021) names it ``bg_net.*``. What else the file holds plays no part,
and is put back as it was by :func:`export`. A file with only those keys, or with keys that were stripped of
all that precedes the layers' numbers, is taken too. Layout, filters and blocks follow from keys and shapes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from torch import Tensor

from animate.checkpoints.architectures import ARCHITECTURES
from animate.checkpoints.convert.published import names, read_published, refuse_existing, take
from animate.checkpoints.description import KEY, describe, description_of
from animate.checkpoints.files import read, write
from animate.checkpoints.keys import printable
from animate.checkpoints.load import build, skeleton, state_of
from animate.checkpoints.save import save
from animate.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

Layout = Literal["impersonator", "ipercore"]

PARTS: Mapping[Layout, str] = {"impersonator": "bg_model.model.", "ipercore": "bg_net.main."}
"""What precedes the layers' numbers in a whole generator."""
_PART = re.compile(r"(module\.)?(bg_model|bg_net)\.")
_LAYER = re.compile(r"(module\.)?((bg_model|bg_net)\.)?((model|main)\.)?(?=\d)")
_DEEPFILL = re.compile(r"(module\.)?((bg_model|bg_net)\.)?coarse_net\.")


@dataclass(frozen=True, slots=True)
class Found:
    """The background network in a published file.

    Attributes:
        state: its tensors by number and what follows it: ``0.weight``, ``12.main.0.weight``.
        keys: what each of them is called in the file.
        others: the file's other keys.

    """

    state: dict[str, Any]
    keys: dict[str, str]
    others: list[str]


def convert(
    checkpoint: Path,
    output: Path,
    layout: Layout,
    *,
    image_size: int = 256,
    allow_pickle: bool = False,
    overwrite: bool = False,
) -> str:
    """Convert a published background network to a checkpoint that describes itself.

    Args:
        checkpoint: The ``.pth``, a state dict with or without ``module.`` before its keys.
        output: Where to write; not an existing file unless ``overwrite``.
        layout: Which program's it is.
        image_size: Side of the pictures that the weights were made for; the file does not tell.
        allow_pickle: Let a file run code while it is read, where it cannot be read otherwise.
        overwrite: Replace ``output``.

    Returns:
        One line that tells what was converted, and what of the file was left out.

    Raises:
        UserError: The file cannot be used, is of another network, or has keys that are missing, not known or
            misshaped (all are listed). Nothing is written.

    """
    refuse_existing(output, overwrite)
    found = find(read_published(checkpoint, allow_pickle), checkpoint)
    part = ARCHITECTURES["inpainting"].networks
    told = arguments_of(found.state, layout, checkpoint) | {"image_size": image_size}
    arguments = part.complete(told, str(checkpoint))
    expected = skeleton(part, arguments, checkpoint).state_dict()
    complaint = f"the weights in {checkpoint} do not make a background network of {layout}"
    taken = take(expected, published(arguments, expected), found.state, complaint)
    built = build(part, arguments, taken, checkpoint)
    state = {f"networks.{key}": value for key, value in built.state_dict().items()}
    save(output, {"state_dict": state}, describe("inpainting", arguments))
    count = sum(value.numel() for value in state.values())
    what = f"{layout}, {count:,} parameters in {len(state)} tensors, for {image_size} px"
    others = f"; left out: {_parts(found.others)}" if found.others else ""
    return f"converted {checkpoint} to {output}: {what}{others}"


def export(
    checkpoint: Path,
    output: Path,
    layout: Layout,
    *,
    into: Path | None = None,
    allow_pickle: bool = False,
    overwrite: bool = False,
) -> str:
    """Write the background network of a checkpoint of ours under its published names.

    Args:
        checkpoint: Of ours.
        output: The ``.pth`` to write; not an existing file unless ``overwrite``.
        layout: Which program's it must be.
        into: A published file, all of which is written again but for the background network, which is
            replaced; only the background network is written without it.
        allow_pickle: As in ``convert``, of ``into``.
        overwrite: Replace ``output``.

    Returns:
        One line that tells what was written.

    Raises:
        UserError: A file cannot be used, or the networks of both are not of one shape. Nothing is written.

    """
    refuse_existing(output, overwrite)
    arguments, ours = _ours(checkpoint, layout)
    theirs = {name: ours[key] for key, name in published(arguments, ours).items()}
    if into is None:
        written: dict[str, Any] = {f"{PARTS[layout]}{name}": value for name, value in theirs.items()}
    else:
        held = read_published(into, allow_pickle)
        found = find(held, into)
        complaint = f"the background network in {into} is not of the shape of that in {checkpoint}"
        before = take(theirs, {name: name for name in theirs}, found.state, complaint)
        fitting = {found.keys[name]: value.to(before[name].dtype) for name, value in theirs.items()}
        written = {key: fitting.get(key, value) for key, value in held.items()}
    write(output, written)
    kept = f", {len(written) - len(theirs)} others as in {into}" if into is not None else ""
    return f"exported {checkpoint} to {output}: {len(theirs)} tensors of {layout}{kept}"


def find(checkpoint: Mapping[str, Any], path: Path) -> Found:
    """Find the background network in what a published file holds.

    Raises:
        UserError: It is a checkpoint of ours, or holds no such network.

    """
    if KEY in checkpoint:
        raise UserError(f"{path} is a checkpoint of animate already; there is nothing to convert")
    if any(_DEEPFILL.match(str(key)) for key in checkpoint):
        raise UserError(f"{path} holds a DeepFill-v2 network, which animate does not have")
    whole = any(_PART.match(str(key)) for key in checkpoint)
    own = [str(key) for key in checkpoint if not whole or _PART.match(str(key))]
    keys = {_LAYER.sub("", key, count=1) if _LAYER.match(key) else key: key for key in own}
    others = [str(key) for key in checkpoint if str(key) not in set(own)]
    return Found({name: checkpoint[key] for name, key in keys.items()}, keys, others)


def arguments_of(state: Mapping[str, Any], layout: Layout, path: Path) -> dict[str, Any]:
    """Read layout, filters and blocks from keys and shapes.

    Raises:
        UserError: The state holds nothing of the kind, or the other layout.

    """
    filters: list[int] = []
    while (conv := state.get(f"{3 * len(filters)}.weight")) is not None and _is_conv(conv):
        filters.append(int(conv.shape[0]))
        if f"{3 * len(filters)}.main.0.weight" in state:
            break
    first = 3 * len(filters)
    blocks = sum(f"{number}.main.0.weight" in state for number in range(first, first + len(state)))
    if not (filters and blocks):
        held = ", ".join(sorted(map(printable, state))[:4]) or "nothing"
        raise UserError(f"{path} holds no background network of {layout} (it holds {held:.160})")
    found: Layout = "impersonator" if "1.weight" in state else "ipercore"
    if found != layout:
        raise UserError(f"{path} holds a background network of {found}: run animate convert {found}")
    return {"layout": layout, "filters": filters, "blocks": blocks}


def published(arguments: Mapping[str, Any], ours: Iterable[str]) -> dict[str, str]:
    """Give the published name, from the layer's number on, of each of our tensors."""
    theirs = layers(len(arguments["filters"]) - 1, arguments["blocks"])
    return names(((f"background.{layer}", number) for layer, number in theirs), ours)


def layers(depth: int, blocks: int) -> Iterator[tuple[str, str]]:
    """Give the published name of each layer of ``ResNetInpainter``: ``("stem.conv", "0")``, ..."""

    def pair(ours: str, number: int) -> Iterator[tuple[str, str]]:
        yield f"{ours}.conv", f"{number}"
        yield f"{ours}.norm", f"{number + 1}"

    yield from pair("stem", 0)
    for i in range(depth):
        yield from pair(f"downs.{i}", 3 * (i + 1))
    first = 3 * (depth + 1)
    for i in range(blocks):
        for layer, number in (("conv1", 0), ("norm1", 1), ("conv2", 3), ("norm2", 4)):
            yield f"blocks.{i}.{layer}", f"{first + i}.main.{number}"
    for i in range(depth):
        yield from pair(f"ups.{i}", first + blocks + 3 * i)
    yield "head", f"{first + blocks + 3 * depth}"


def _ours(checkpoint: Path, layout: Layout) -> tuple[Mapping[str, Any], dict[str, Tensor]]:
    """Read the arguments and the tensors of the networks of a checkpoint of ours."""
    held = read(checkpoint)
    description = description_of(held, checkpoint)
    arguments = description["networks"]
    if description["architecture"] != "inpainting" or arguments["layout"] != layout:
        what = arguments.get("layout", description["architecture"])
        raise UserError(f"{checkpoint} holds a network of {what}, not a background network of {layout}")
    part = ARCHITECTURES["inpainting"].networks
    networks = build(part, arguments, state_of(held, "networks", checkpoint), checkpoint)
    return arguments, dict(networks.state_dict())


def _is_conv(value: object) -> bool:
    return isinstance(value, Tensor) and value.dim() == 4


def _parts(keys: list[str]) -> str:
    """Tell of which parts the other tensors of a file are, and how many there are."""
    names = dict.fromkeys(printable(key).removeprefix("module.").split(".")[0] for key in keys)
    return f"{len(keys)} tensors of {', '.join(names)}"
