"""Checkpoints of U²-Net as its authors publish them (``u2net.pth``, ``u2netp.pth`` and the like) to ours.

Qin et al. (2020), https://github.com/xuebinqin/U-2-Net. Each file is a bare state dict; ``u2net``,
``u2net_human_seg`` and ``u2net_portrait`` have one layout, ``u2netp`` has another. Which one it is, and how
wide, follows from keys and shapes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from animate.checkpoints.architectures import ARCHITECTURES
from animate.checkpoints.convert.published import names, read_published, refuse_existing, take
from animate.checkpoints.description import KEY, describe
from animate.checkpoints.keys import printable
from animate.checkpoints.load import build, skeleton
from animate.checkpoints.save import save
from animate.errors import UserError
from animate.networks.u2net.model import DEPTHS, DILATED_DEPTH, STAGES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ENTRY = "stage1.rebnconvin.conv_s1.weight"
SECOND = "stage2.rebnconvin.conv_s1.weight"
WRAPPED = "netG_state_dict"
"""Where a fork that trains U²-Net keeps the state, or the network itself."""


def convert(
    checkpoint: Path,
    output: Path,
    *,
    image_size: int = 320,
    allow_pickle: bool = False,
    overwrite: bool = False,
) -> str:
    """Convert a published checkpoint to one that describes itself.

    Args:
        checkpoint: The ``.pth``, a state dict with or without ``module.`` before its keys.
        output: Where to write; not an existing file unless ``overwrite``.
        image_size: Side of the squares that the weights were made for; the file does not tell.
        allow_pickle: Let a file run code while it is read, where it cannot be read otherwise.
        overwrite: Replace ``output``.

    Returns:
        One line that tells what was converted.

    Raises:
        UserError: The file cannot be used, is of another network, or has keys that are missing, not known or
            misshaped (all are listed). Nothing is written.

    """
    refuse_existing(output, overwrite)
    published = published_state(read_published(checkpoint, allow_pickle), checkpoint)
    part = ARCHITECTURES["u2net"].networks
    found = arguments_of(published, checkpoint) | {"image_size": image_size}
    arguments = part.complete(found, str(checkpoint))
    expected = skeleton(part, arguments, checkpoint).state_dict()
    theirs = names(((f"matting.{ours}", name) for ours, name in layers()), expected)
    complaint = f"the weights in {checkpoint} do not make a U²-Net"
    built = build(part, arguments, take(expected, theirs, published, complaint), checkpoint)
    state = {f"networks.{key}": value for key, value in built.state_dict().items()}
    save(output, {"state_dict": state}, describe("u2net", arguments))
    what = f"{arguments['layout']} of width {arguments['width']} for {image_size} px"
    return f"converted {checkpoint} to {output}: {what}, {len(state)} tensors"


def published_state(checkpoint: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """Take the state out of what the file holds, without the ``module.`` of DataParallel.

    Raises:
        UserError: It is a checkpoint of ours.

    """
    if KEY in checkpoint:
        raise UserError(f"{path} is a checkpoint of animate already; there is nothing to convert")
    inner: object = checkpoint.get(WRAPPED, checkpoint)
    if isinstance(inner, nn.Module):
        inner = inner.state_dict()
    state = inner if isinstance(inner, Mapping) else checkpoint
    return {str(key).removeprefix("module."): value for key, value in state.items()}


def arguments_of(state: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """Read layout and width from the shapes: the second stage of U²-Net is wider than its first.

    Raises:
        UserError: The file holds nothing of the kind.

    """
    width, second = (_channels(state, key, path) for key in (ENTRY, SECOND))
    return {"layout": "u2netp" if second == width else "u2net", "width": width}


def layers() -> Iterator[tuple[str, str]]:
    """Give the published name of each layer of ``U2Net``: ``("encoder.0.entry.conv", "stage1...")``, ..."""
    for level in range(STAGES):
        yield from _stage(f"encoder.{level}", f"stage{level + 1}", level)
    for level in reversed(range(STAGES - 1)):
        yield from _stage(f"decoder.{STAGES - 2 - level}", f"stage{level + 1}d", level)
    for level in range(STAGES):
        yield f"sides.{level}", f"side{level + 1}"
    yield "fuse", "outconv"


def _stage(ours: str, theirs: str, level: int) -> Iterator[tuple[str, str]]:
    depth = DEPTHS[level] if level < len(DEPTHS) else DILATED_DEPTH
    blocks = [("entry", "in"), ("bottom", f"{depth}")]
    blocks += [(f"encoder.{i}", f"{i + 1}") for i in range(depth - 1)]
    blocks += [(f"decoder.{i}", f"{depth - 1 - i}d") for i in range(depth - 1)]
    for block, number in blocks:
        yield f"{ours}.{block}.conv", f"{theirs}.rebnconv{number}.conv_s1"
        yield f"{ours}.{block}.norm", f"{theirs}.rebnconv{number}.bn_s1"


def _channels(state: Mapping[str, Any], key: str, path: Path) -> int:
    value = state.get(key)
    if not isinstance(value, Tensor) or value.dim() != 4:
        held = ", ".join(sorted(map(printable, state))[:4]) or "nothing"
        raise UserError(f"{path} is not a U²-Net: it has no convolution {key} (it holds {held:.160})")
    return int(value.shape[0])
