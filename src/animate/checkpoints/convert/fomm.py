"""Checkpoints of the First Order Motion Model as published by its authors (``*-cpk.pth.tar``) to ours.

Siarohin et al. (2019), https://github.com/AliaksandrSiarohin/first-order-model. The map of names is written
once, from ours to theirs: what is expected can then be compared with a file in the file's own words.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from animate.checkpoints.architectures import ARCHITECTURES
from animate.checkpoints.convert.fomm_config import read_config
from animate.checkpoints.convert.published import read_published, refuse_existing, take
from animate.checkpoints.description import KEY, describe
from animate.checkpoints.keys import printable
from animate.checkpoints.load import build, skeleton
from animate.checkpoints.save import save
from animate.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn

    from animate.checkpoints.architectures import Part

PARTS = ("kp_detector", "generator", "discriminator")

# Beginnings of our names and of the published ones, the part's name in front; the first that fits counts.
NAMES = (
    ("networks.keypoint_detector.hourglass.encoder.", "kp_detector.predictor.encoder.down_blocks."),
    ("networks.keypoint_detector.hourglass.decoder.", "kp_detector.predictor.decoder.up_blocks."),
    ("networks.keypoint_detector.heatmap.", "kp_detector.kp."),
    ("networks.keypoint_detector.jacobian.", "kp_detector.jacobian."),
    (
        "networks.generator.dense_motion.hourglass.encoder.",
        "generator.dense_motion_network.hourglass.encoder.down_blocks.",
    ),
    (
        "networks.generator.dense_motion.hourglass.decoder.",
        "generator.dense_motion_network.hourglass.decoder.up_blocks.",
    ),
    ("networks.generator.dense_motion.", "generator.dense_motion_network."),
    ("networks.generator.bottleneck.", "generator.bottleneck.r"),
    ("networks.generator.", "generator."),
    ("discriminator.blocks.", "discriminator.discs.1.down_blocks."),
    ("discriminator.head.", "discriminator.discs.1.conv."),
)


def convert(
    config: Path, checkpoint: Path, output: Path, *, allow_pickle: bool = False, overwrite: bool = False
) -> str:
    """Convert a published checkpoint, its YAML beside it, to one that describes itself.

    Args:
        config: The reference's YAML of this model.
        checkpoint: The ``.pth.tar``, in torch's zip, pickle or tar format.
        output: Where to write; not an existing file unless ``overwrite``.
        allow_pickle: Let a file run code while it is read, where it cannot be read otherwise.
        overwrite: Replace ``output``.

    Returns:
        One line that tells what was converted.

    Raises:
        UserError: A file cannot be used, the configuration asks for what our networks do not have, or the
            weights are not those of the configuration (every key that differs is listed). Nothing is written.

    """
    refuse_existing(output, overwrite)
    networks, discriminator = read_config(config)
    published = published_state(read_published(checkpoint, allow_pickle), checkpoint)
    if not any(name.startswith("discriminator.") for name in published):
        discriminator = None
    elif discriminator is None:
        raise UserError(f"{checkpoint} holds a discriminator, but {config} has no discriminator_params")
    state = _to_ours(published, networks, discriminator, checkpoint, config)
    save(output, {"state_dict": state}, describe("fomm", networks, discriminator))
    what = "networks" if discriminator is None else "networks and discriminator"
    return f"converted {checkpoint} to {output}: {what}, {len(state)} tensors, {networks['image_size']} px"


def published_state(checkpoint: Mapping[str, Any], path: Path) -> dict[str, Tensor]:
    """Flatten a published checkpoint to ``part.key``, cleaned of what carries no weight.

    Removed: optimisers and counters, the ``module.`` that DataParallel puts in front, and the constant
    anti-alias kernels (``down.weight``), which are computed here.

    Raises:
        UserError: The file does not have the published layout.

    """
    _refuse_other_layouts(checkpoint, path)
    state: dict[str, Tensor] = {}
    for part in PARTS:
        for key, value in checkpoint.get(part, {}).items():
            name = f"{part}.{str(key).removeprefix('module.')}"
            if not name.endswith(".down.weight"):
                state[name] = value
    return _with_singular_vectors(state)


def published_name(name: str, ours: Mapping[str, Tensor]) -> str:
    """Translate a name of our state to the published one.

    Args:
        name: Such as ``networks.generator.bottleneck.0.conv1.weight``.
        ours: The state that it belongs to, which tells where spectral norm is.

    """
    beginning, theirs = next(pair for pair in NAMES if name.startswith(pair[0]))
    # With spectral norm the reference keeps the raw weight under another name.
    suffix = "_orig" if f"{name}_u" in ours else ""
    return theirs + name.removeprefix(beginning) + suffix


def _to_ours(
    published: Mapping[str, Tensor],
    networks: dict[str, Any],
    discriminator: dict[str, Any] | None,
    path: Path,
    config: Path,
) -> dict[str, Tensor]:
    """Rename and check; the result are tensors of freshly built networks, so types and layout are ours."""
    fomm = ARCHITECTURES["fomm"]
    parts: dict[str, tuple[Part, dict[str, Any]]] = {"networks": (fomm.networks, networks)}
    if discriminator is not None:
        parts["discriminator"] = (fomm.discriminator, discriminator)
    ours = _prefixed({name: skeleton(part, arguments, config) for name, (part, arguments) in parts.items()})
    theirs = {name: published_name(name, ours) for name in ours}
    state = take(ours, theirs, published, f"the weights in {path} are not those that {config} describes")
    built = {
        name: build(part, arguments, _of_part(state, name), path) for name, (part, arguments) in parts.items()
    }
    return _prefixed(built)


def _refuse_other_layouts(checkpoint: Mapping[str, Any], path: Path) -> None:
    if KEY in checkpoint:
        raise UserError(f"{path} is a checkpoint of animate already; there is nothing to convert")
    absent = [part for part in PARTS[:2] if part not in checkpoint]
    if absent:
        held = ", ".join(sorted(map(printable, checkpoint))[:6])
        raise UserError(
            f"{path} is not a First Order Motion Model checkpoint: it has no {' and no '.join(absent)} "
            f"(it holds {held:.160})"
        )
    for name, value in checkpoint.items():
        if name in PARTS and not isinstance(value, Mapping):
            raise UserError(f"{path}: {name} is a {type(value).__name__}, not a dictionary of tensors")
        known = name in PARTS or str(name).startswith("optimizer")
        if not known and isinstance(value, Mapping):
            raise UserError(
                f"{path} holds {printable(name)}, which is no part of the First Order Motion Model"
            )


def _with_singular_vectors(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Bring spectral norm as torch 1.0 saved it (normalised weight, no ``weight_v``) to today's form.

    Today the weight in use is ``W / (u^T W v)``; so v is chosen along ``pinv(W) u``, of the length that gives
    the saved normalised weight again.
    """
    result = dict(state)
    for name in state:
        base = name.removesuffix("_orig")
        if not name.endswith(".weight_orig") or base not in state or f"{base}_u" not in state:
            continue
        used = result.pop(base)
        if f"{base}_v" not in state:
            matrix = state[name].flatten(1)
            direction = torch.linalg.pinv(matrix) @ state[f"{base}_u"]
            reached = torch.dot(state[f"{base}_u"], matrix @ direction)
            result[f"{base}_v"] = direction * (matrix.norm() / used.norm() / reached)
    return result


def _prefixed(modules: Mapping[str, nn.Module]) -> dict[str, Tensor]:
    return {
        f"{part}.{key}": value
        for part, module in modules.items()
        for key, value in module.state_dict().items()
    }


def _of_part(state: Mapping[str, Tensor], part: str) -> dict[str, Tensor]:
    prefix = f"{part}."
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
