"""Checkpoints of pix2pixHD as its authors' code saves them (``latest_net_G.pth`` and the like) to ours.

Each file is a bare state dict. What the network is follows from the keys and shapes; what its input channels
mean does not, so the caller tells.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from animate.checkpoints.architectures import ARCHITECTURES, Part
from animate.checkpoints.convert.pix2pixhd_layout import (
    Arguments,
    cleaned,
    discriminator_arguments,
    discriminator_layers,
    translator_arguments,
    translator_layers,
)
from animate.checkpoints.convert.published import names, read_published, refuse_existing, take
from animate.checkpoints.description import KEY, describe
from animate.checkpoints.load import build, skeleton
from animate.checkpoints.save import save
from animate.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor

PICTURE = 3
"""As many label channels are taken for a picture; any other number are classes."""


@dataclass(frozen=True, slots=True)
class Files:
    """The published files of one model.

    Attributes:
        generator: ``*_net_G.pth``, global or local.
        discriminator: ``*_net_D.pth``.
        encoder: ``*_net_E.pth``, of a generator that takes features of instances.
        face: ``*_net_Gface.pth`` of Everybody Dance Now.

    """

    generator: Path
    discriminator: Path | None = None
    encoder: Path | None = None
    face: Path | None = None


def convert(
    files: Files,
    output: Path,
    *,
    edges: bool = False,
    previous: bool = False,
    skeleton: str = "",
    allow_pickle: bool = False,
    overwrite: bool = False,
) -> str:
    """Convert published weights to a checkpoint that describes itself.

    Args:
        files: What to convert.
        output: Where to write; not an existing file unless ``overwrite``.
        edges: One of the generator's inputs is the edges of an instance map.
        previous: Three of the generator's inputs are the previous frame.
        skeleton: The layout of points whose skeletons are the labels; empty where they come from elsewhere.
        allow_pickle: Let a file run code while it is read, where it cannot be read otherwise.
        overwrite: Replace ``output``.

    Returns:
        One line that tells what was converted.

    Raises:
        UserError: A file cannot be used, is of another network, or has keys that are missing, not known or
            misshaped (all are listed). Nothing is written.

    """
    refuse_existing(output, overwrite)
    read = {
        name: _read(path, allow_pickle)
        for name in ("generator", "encoder", "face", "discriminator")
        if (path := getattr(files, name)) is not None
    }
    arguments = _arguments(files, read, {"edges": edges, "previous": previous, "skeleton": skeleton})
    parts = ARCHITECTURES["pix2pixhd"]
    state = _networks(parts.networks, arguments, files, read)
    adversary = None
    if files.discriminator is not None:
        adversary, theirs = _discriminator(parts.discriminator, files.discriminator, read["discriminator"])
        state |= theirs
    save(output, {"state_dict": state}, describe("pix2pixhd", arguments, adversary))
    return f"converted {files.generator} to {output}: {_summary(arguments, read)}, {len(state)} tensors"


def _read(path: Path, allow_pickle: bool) -> dict[str, Any]:
    state = read_published(path, allow_pickle)
    if KEY in state:
        raise UserError(f"{path} is a checkpoint of animate already; there is nothing to convert")
    renamed = {str(key).replace("facemodel.", "model.", 1): value for key, value in state.items()}
    return cleaned(renamed)


def _arguments(files: Files, read: Mapping[str, Any], told: Arguments) -> Arguments:
    """Every argument of ``Pix2PixHD``, checked."""
    generator = translator_arguments(read["generator"], files.generator)
    channels, out_channels = generator.pop("in_channels"), generator.pop("out_channels")
    if out_channels != 3:
        raise UserError(f"{files.generator} makes pictures of {out_channels} channels; only RGB is supported")
    arguments = generator | told
    for name, path in (("encoder", files.encoder), ("face", files.face)):
        if path is not None:
            arguments |= _extra(name, translator_arguments(read[name], path), generator["norm"], path)
    if not generator["enhancers"]:
        del arguments["enhancer_blocks"]  # plays no part
    labels = channels - told["edges"] - 3 * told["previous"] - arguments.get("features", 0)
    if labels < 1:
        raise UserError(
            f"{files.generator} has {channels} input channels: too few for labels beside the edges (1), "
            "the previous frame (3) and the features of the encoder that were asked for"
        )
    arguments |= {"labels": labels, "indexed": labels != PICTURE}
    return ARCHITECTURES["pix2pixhd"].networks.complete(arguments, str(files.generator))


def _extra(name: str, found: Arguments, norm: str, path: Path) -> Arguments:
    """Arguments of the encoder or of the face generator; they have one norm with the generator."""
    if found["norm"] != norm:
        raise UserError(f"{path} has {found['norm']} norm, the generator {norm} norm; both must be the same")
    arguments = {f"{name}_width": found["width"], f"{name}_depth": found["depth"]}
    if name == "encoder":
        return arguments | {"features": found["out_channels"]}
    return arguments | {"face": True, "face_blocks": found["blocks"]}


def _networks(part: Part, arguments: Arguments, files: Files, read: Mapping[str, Any]) -> dict[str, Tensor]:
    """Take the tensors of ``Pix2PixHD`` from the files of its networks, under our names."""
    expected = skeleton(part, arguments, files.generator)
    layers = {
        "generator": translator_layers(
            *(arguments[name] for name in ("depth", "blocks", "enhancers", "enhancer_blocks"))
        ),
        "encoder": translator_layers(arguments["encoder_depth"], 0),
        "face": translator_layers(arguments["face_depth"], arguments["face_blocks"]),
    }
    state: dict[str, Tensor] = {}
    for name, network in expected.named_children():
        if name not in layers:
            continue
        ours = network.state_dict()
        complaint = f"the weights in {getattr(files, name)} do not make a {name} of pix2pixHD"
        found = take(ours, names(layers[name], ours), read[name], complaint)
        state |= {f"{name}.{key}": value for key, value in found.items()}
    # Clusters are no part of the published files: there are none until they are made.
    state |= {
        key: torch.zeros(value.shape, dtype=value.dtype)
        for key, value in expected.state_dict().items()
        if key.startswith("clusters.")
    }
    built = build(part, arguments, state, files.generator)
    return {f"networks.{key}": value for key, value in built.state_dict().items()}


def _discriminator(
    part: Part, path: Path, published: Mapping[str, Any]
) -> tuple[Arguments, dict[str, Tensor]]:
    """Take the discriminator's arguments and tensors, under our names."""
    found = discriminator_arguments(published, path)
    arguments = part.complete(found, str(path))
    expected = skeleton(part, arguments, path).state_dict()
    featured = any(key.startswith("scale") for key in published)
    layers = discriminator_layers(found["layers"], found["scales"], featured)
    complaint = f"the weights in {path} do not make a discriminator of pix2pixHD"
    built = build(part, arguments, take(expected, names(layers, expected), published, complaint), path)
    return arguments, {f"discriminator.{key}": value for key, value in built.state_dict().items()}


def _summary(arguments: Arguments, read: Mapping[str, Any]) -> str:
    enhancers = arguments["enhancers"]
    kind = (
        f"generator with {enhancers} local enhancer{'s' * (enhancers > 1)}"
        if enhancers
        else "global generator"
    )
    others = [name.replace("face", "face generator") for name in read if name != "generator"]
    return ", ".join([f"{kind}, {arguments['labels']} label channels", *others])
