"""Cases of the published U²-Net, brought to our names.

*Golden*: weights, inputs and float32 results of U²-Netp; used when ``ANIMATE_GOLDEN`` names the folder of the
whole set, because weights that came as a file are too large to lie here.

*Drawn*: weights and inputs are drawn by name (``drawn.py``). ``u2net.safetensors`` holds the seven maps that
the published code makes of them in float64 (U²-Netp, a picture whose sides do not divide); ``u2net.json``
fingerprints of the maps of the full U²-Net, and the loss and the gradients of a first training step.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import drawn
import torch
from safetensors.torch import load_file

from animate.checkpoints.convert.published import names
from animate.checkpoints.convert.u2net import layers
from animate.networks.u2net import U2Net

if TYPE_CHECKING:
    from torch import Tensor

    from animate.networks.u2net import Layout

HERE = Path(__file__).parent
FULL = Path(os.environ["ANIMATE_GOLDEN"]) if "ANIMATE_GOLDEN" in os.environ else None
SIDE, TRAINING_SIDE, BATCH = 44, 33, 2
FACTS = json.loads((HERE / "u2net.json").read_text())
MAPS = load_file(HERE / "u2net.safetensors")


def golden() -> tuple[U2Net, dict[str, Tensor], dict[str, float]]:
    """The golden network, its tensors, and the noise of each result."""
    assert FULL is not None
    tensors = load_file(FULL / "u2netp.safetensors")
    state = {k.removeprefix("state."): v for k, v in tensors.items() if k.startswith("state.")}
    network = filled("u2netp", {k: v.float() if v.is_floating_point() else v for k, v in state.items()})
    return network, tensors, json.loads((FULL / "u2netp.json").read_text())["f64_noise"]


def drawn_network(layout: Layout) -> U2Net:
    """A network of float64 with drawn weights."""
    with torch.device("meta"):
        empty = U2Net(layout)
    theirs = names(layers(), empty.state_dict())
    shapes = {theirs[key]: tuple(value.shape) for key, value in empty.state_dict().items()}
    return filled(layout, drawn.state(shapes)).double()


def filled(layout: Layout, published: dict[str, Tensor]) -> U2Net:
    """A network of ours with all of the published weights, and no others."""
    network = U2Net(layout)
    theirs = names(layers(), network.state_dict())
    assert set(theirs.values()) == set(published)
    network.double().load_state_dict({ours: published[name] for ours, name in theirs.items()})
    return network.float().eval()


def picture(what: str, side: int, batch: int) -> Tensor:
    return 2 * drawn.picture(f"u2net.{what}", batch, side) - 1


def mask(side: int, batch: int) -> Tensor:
    return (drawn.picture("u2net.mask", batch, side)[:, :1] > 0.5).double()
