"""The published files of pix2pixHD: what their keys are called, and what their shapes say of the network.

Wang et al. (2018), https://github.com/NVIDIA/pix2pixHD. A network is a list of layers there, and a key holds
a layer's number in it; layers without weights (padding, ReLU) count too.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from torch import Tensor

from animate.checkpoints.keys import printable
from animate.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

Arguments = dict[str, Any]
STATISTICS = (".running_mean", ".running_var", ".num_batches_tracked")


def translator_arguments(state: Mapping[str, Any], path: Path) -> Arguments:
    """Read the arguments of a ``Translator`` from the shapes of a generator, an encoder or a face generator.

    Raises:
        UserError: The file holds nothing of the kind.

    """
    first = _shape(state, "model.1.weight", path, "a generator of pix2pixHD")
    numbers = [int(key.split(".")[1]) for key in state if re.fullmatch(r"model\.\d+\.weight", key)]
    squares = [number for number in numbers if _side(state[f"model.{number}.weight"]) == 3]
    enhancers = len(_found(r"model(\d+)_1\.", state))
    head = f"model{enhancers}_2" if enhancers else "model"
    ends = [key for key in state if re.fullmatch(rf"{head}\.\d+\.weight", key) and _side(state[key]) == 7]
    last = [state[key] for key in ends if key != "model.1.weight"]
    return {
        "in_channels": first[1],
        "out_channels": len(last[0]) if last else 3,
        "width": first[0],
        "depth": len(squares) // 2,  # each halving is undone by a doubling
        "blocks": len(_found(r"model\.(\d+)\.conv_block\.", state)),
        "enhancers": enhancers,
        "enhancer_blocks": len(_found(r"model1_2\.(\d+)\.conv_block\.", state)),
        "norm": "batch" if "model.2.weight" in state else "instance",
    }


def translator_layers(
    depth: int, blocks: int, enhancers: int = 0, enhancer_blocks: int = 0
) -> Iterator[tuple[str, str]]:
    """Give the published name of each layer of a ``Translator``: ``("trunk.stem.conv", "model.1")``, ..."""
    yield from _layer("trunk.stem", "model", 1)
    for i in range(depth):
        yield from _layer(f"trunk.downs.{i}", "model", 4 + 3 * i)
    middle = 4 + 3 * depth
    for i in range(blocks):
        yield from _residual(f"trunk.blocks.{i}", f"model.{middle + i}")
    for i in range(depth):
        yield from _layer(f"trunk.ups.{i}", "model", middle + blocks + 3 * i)
    for n in range(enhancers):
        yield from _enhancer(f"enhancers.{n}", f"model{n + 1}", enhancer_blocks)
    # The last layer comes after a norm, a ReLU and a padding.
    last = enhancer_blocks + 4 if enhancers else middle + blocks + 3 * depth + 1
    yield "head", f"model{enhancers}_2.{last}" if enhancers else f"model.{last}"


def discriminator_arguments(state: Mapping[str, Any], path: Path) -> Arguments:
    """Read the arguments of a ``MultiscaleDiscriminator``.

    Raises:
        UserError: The file holds nothing of the kind.

    """
    featured = any(key.startswith("scale") for key in state)
    beginning = "scale0_layer0.0" if featured else "layer0.0"
    first = _shape(state, f"{beginning}.weight", path, "a discriminator of pix2pixHD")
    pattern = r"scale0_layer(\d+)\.0\.weight" if featured else r"layer0\.(\d+)\.weight"
    convolutions = [key for key in state if re.fullmatch(pattern, key) and _side(state[key]) == 4]
    return {
        "condition_channels": first[1] - 3,
        "width": first[0],
        "layers": len(convolutions) - 2,
        "scales": len(_found(r"scale(\d+)_" if featured else r"layer(\d+)\.", state)),
        "norm": "batch"
        if ("scale0_layer1.1.weight" if featured else "layer0.3.weight") in state
        else "instance",
    }


def discriminator_layers(layers: int, scales: int, featured: bool) -> Iterator[tuple[str, str]]:
    """Give the published name of each layer of a ``MultiscaleDiscriminator``; there the finest scale is last.

    Args:
        layers: Layers with stride 2.
        scales: Number of scales.
        featured: The layout of networks that give features of each layer (``scale0_layer1.0``), or of those
            that give scores only (``layer0.2``).

    """
    for i in range(scales):
        scale = scales - 1 - i
        for j in range(layers + 2):
            ours = f"scales.{i}.head" if j > layers else f"scales.{i}.blocks.{j}.conv"
            theirs, number = (
                (f"scale{scale}_layer{j}", 0) if featured else (f"layer{scale}", max(0, 3 * j - 1))
            )
            yield ours, f"{theirs}.{number}"
            if 0 < j <= layers:
                yield f"scales.{i}.blocks.{j}.norm", f"{theirs}.{number + 1}"


def cleaned(state: Mapping[Any, Any]) -> dict[str, Any]:
    """Take off DataParallel's ``module.``, and the statistics that instance norm kept before Torch 0.4.

    Those are told from batch norm's by the missing weight beside them.
    """
    named = {str(key).removeprefix("module."): value for key, value in state.items()}
    return {
        key: value
        for key, value in named.items()
        if not key.endswith(STATISTICS) or f"{key.rsplit('.', 1)[0]}.weight" in named
    }


def _layer(ours: str, theirs: str, number: int) -> Iterator[tuple[str, str]]:
    yield f"{ours}.conv", f"{theirs}.{number}"
    yield f"{ours}.norm", f"{theirs}.{number + 1}"


def _residual(ours: str, theirs: str) -> Iterator[tuple[str, str]]:
    for layer, number in (("conv1", 1), ("norm1", 2), ("conv2", 5), ("norm2", 6)):
        yield f"{ours}.{layer}", f"{theirs}.conv_block.{number}"


def _enhancer(ours: str, theirs: str, blocks: int) -> Iterator[tuple[str, str]]:
    yield from _layer(f"{ours}.stem", f"{theirs}_1", 1)
    yield from _layer(f"{ours}.down", f"{theirs}_1", 4)
    for i in range(blocks):
        yield from _residual(f"{ours}.blocks.{i}", f"{theirs}_2.{i}")
    yield from _layer(f"{ours}.up", f"{theirs}_2", blocks)


def _found(pattern: str, state: Mapping[str, Any]) -> set[str]:
    """List the numbers that stand at one place of the keys."""
    return {match.group(1) for key in state if (match := re.match(pattern, key))}


def _side(value: object) -> int:
    """Side of a convolution's square kernel; 0 for what is none."""
    return value.shape[-1] if isinstance(value, Tensor) and value.dim() == 4 else 0


def _shape(state: Mapping[str, Any], key: str, path: Path, what: str) -> tuple[int, ...]:
    value = state.get(key)
    if not isinstance(value, Tensor) or value.dim() != 4:
        held = ", ".join(sorted(map(printable, state))[:4]) or "nothing"
        raise UserError(f"{path} is not {what}: it has no convolution {key} (it holds {held:.160})")
    return tuple(value.shape)
