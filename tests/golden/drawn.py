"""Weights, pictures and transforms that are drawn by name, so that no file has to hold them.

Raw bits of PCG64 are the same everywhere; they become uniform numbers in [-1, 1) without rounding.
"""

from __future__ import annotations

import math
import zlib
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Mapping


def uniform(name: str, shape: tuple[int, ...]) -> Tensor:
    """Independent numbers in [-1, 1), float64, that depend on the name only."""
    bits = np.random.PCG64(zlib.crc32(name.encode())).random_raw(math.prod(shape)) >> np.uint64(40)
    return torch.from_numpy(bits.astype(np.float64) / 2**23 - 1).reshape(shape)


def state(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """Draw a state dict of published names: activations of a fair size, converged singular vectors."""
    drawn = {name: _weight(name, shape) for name, shape in shapes.items()}
    for name in [name for name in drawn if name.endswith("weight_u")]:
        matrix = drawn[name.replace("weight_u", "weight_orig")].flatten(1)
        u = drawn[name]
        for _ in range(20):
            u = F.normalize(matrix @ (matrix.T @ u), dim=0)
        drawn[name] = u
        drawn[name.replace("weight_u", "weight_v")] = F.normalize(matrix.T @ u, dim=0)
    return {name: value.float().double() for name, value in drawn.items()}  # exact in float32 too


def _weight(name: str, shape: tuple[int, ...]) -> Tensor:
    drawn, kind = uniform(name, shape), name.rsplit(".", 1)[1]
    if kind == "num_batches_tracked":
        return torch.zeros(shape)
    if kind == "running_var" or (kind == "weight" and len(shape) == 1):
        return 1 + 0.3 * drawn
    if name == "kp_detector.jacobian.bias":
        return 0.1 * drawn + torch.eye(2, dtype=drawn.dtype).flatten().repeat(shape[0] // 4)
    if kind in ("bias", "running_mean", "weight_u", "weight_v"):
        return 0.1 * drawn
    gain = 0.3 if name == "kp_detector.jacobian.weight" else 1  # local motions that can be inverted
    return gain * drawn * math.sqrt(6 / math.prod(shape[1:]))


def picture(name: str, batch: int, side: int) -> Tensor:
    """Pictures of a few plane waves in each channel, with some noise: ``(batch, 3, side, side)``."""
    across = torch.arange(side, dtype=torch.float64) / side
    phase, along_x, along_y = (uniform(f"{name}.{part}", (batch, 3, 4, 1, 1)) for part in "pxy")
    angle = 2 * math.pi * (phase + 3 * along_x * across + 3 * along_y * across.unsqueeze(-1))
    waves = angle.sin().mean(dim=2)
    return (0.5 + 0.4 * waves + 0.1 * uniform(name, waves.shape)).float().double()


def transform(name: str, batch: int, points: int | None) -> tuple[Tensor, Tensor | None]:
    """An affine map ``(batch, 2, 3)`` near the identity and the spline's weights ``(batch, 1, points^2)``."""
    theta = torch.eye(2, 3, dtype=torch.float64) + 0.08 * uniform(f"{name}.theta", (batch, 2, 3))
    bend = None if points is None else 0.008 * uniform(f"{name}.bend", (batch, 1, points**2))
    return theta.float().double(), None if bend is None else bend.float().double()


def fingerprint(name: str, value: Tensor) -> tuple[float, float]:
    """The norm of a tensor and its projection on a direction that its name gives."""
    return value.norm().item(), (value.double() * uniform(name, tuple(value.shape))).sum().item()
