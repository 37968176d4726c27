"""Golden cases of Impersonator's background network: weights, inputs and float32 results.

``inpainting.safetensors`` holds one, with one sample of its two: a network whose input has two numbers beside
the picture, each a constant map. The other, larger one is read from the folder that ``ANIMATE_GOLDEN`` names.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import torch
from safetensors.torch import load_file

from animate.checkpoints.convert.inpainting import arguments_of, find, layers
from animate.checkpoints.convert.published import names
from animate.networks.inpainting import ResNetInpainter

if TYPE_CHECKING:
    from torch import Tensor

HERE = Path(__file__).parent
FULL = Path(os.environ["ANIMATE_GOLDEN"]) if "ANIMATE_GOLDEN" in os.environ else None
FILES = {"constant_maps": HERE / "inpainting.safetensors"}
if FULL is not None:
    FILES |= {name: FULL / f"{name}.safetensors" for name in ("impersonator_bgnet", "impersonator_bgnet_c")}


class Golden(NamedTuple):
    """One case."""

    network: ResNetInpainter
    x: Tensor
    y: Tensor
    noise: float
    """How far ``y`` lies from float64, where that is known."""


def golden(name: str) -> Golden:
    path = FILES[name]
    tensors = load_file(path)
    state = {key.removeprefix("state."): value for key, value in tensors.items() if key.startswith("state.")}
    x = tensors["in.x"]
    if "in.c" in tensors:
        maps = tensors["in.c"][..., None, None].expand(-1, -1, *x.shape[-2:])
        x = torch.cat([x, maps], dim=1)
    facts = json.loads(path.with_suffix(".json").read_text()) if path.parent == FULL else {}
    noise = facts.get("f64_noise", {}).get("y", 0.0)
    return Golden(network_of(state, x.shape[1], path), x, tensors["out.y"], noise)


def network_of(published: dict[str, Tensor], in_channels: int, path: Path) -> ResNetInpainter:
    """A network of ours with all of the published weights, and no others."""
    state = find(published, path).state
    arguments = arguments_of(state, "impersonator", path)
    network = ResNetInpainter(in_channels=in_channels, **arguments)
    theirs = names(layers(len(arguments["filters"]) - 1, arguments["blocks"]), network.state_dict())
    assert set(theirs.values()) == set(state)
    network.load_state_dict({ours: state[name] for ours, name in theirs.items()})
    return network.eval()
