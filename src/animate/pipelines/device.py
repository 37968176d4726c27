"""Where to compute."""

from __future__ import annotations

import torch

from animate.errors import UserError


def resolve(name: str) -> torch.device:
    """Find the device: ``auto`` (CUDA, else MPS, else CPU), ``cpu``, ``mps``, ``cuda`` or ``cuda:1``.

    Raises:
        UserError: it is not there, or there is no such name.

    """
    if name == "auto":
        return _best()
    try:
        device = torch.device(name)
    except RuntimeError:
        raise UserError(f"--device {name}: no such device; choose auto, cpu, cuda, cuda:N or mps") from None
    count = {"cpu": 1, "cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}
    if (device.index or 0) >= count.get(device.type, 0):
        raise UserError(
            f"--device {name}: this machine has no such device that torch can use; try --device auto"
        )
    return device


def _best() -> torch.device:
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
