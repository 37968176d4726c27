"""Randomness that belongs to a sample: every draw is a pure function of integers, on every machine.

A sample carries one seed. Whatever is drawn for it (its clip, its frames, its augmentation, the noise of a
loss) derives from that seed and from the number of a *stream*, so that it depends neither on the worker, rank
or device that handles the sample, nor on the samples beside it.

The integers are mixed by splitmix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators",
OOPSLA 2014); the streams of numbers themselves come from the generators of PyTorch and NumPy.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

_WORD = (1 << 64) - 1
_GOLDEN_GAMMA = 0x9E3779B97F4A7C15
_MULTIPLIER = 0xD1342543DE82EF95  # a good 64-bit LCG multiplier (Steele and Vigna, 2021)


def mix(*values: int) -> int:
    """Hash integers, in their order, to one integer in [0, 2^63).

    Equal on every machine, Python version and process (``hash`` of Python promises none of these). Integers
    are taken modulo 2^64, so negative ones are fine. ``mix(a, b)`` and ``mix(mix(a), b)`` differ.
    """
    state = _finalise(len(values))
    for value in values:
        # The multiplication keeps values and running state apart: with a sum or xor alone, mix(1) is mix().
        state = _finalise(state * _MULTIPLIER + value)
    return state >> 1


def _finalise(state: int) -> int:
    """One step of splitmix64: add the golden gamma, then scramble the 64 bits."""
    state = (state + _GOLDEN_GAMMA) & _WORD
    state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & _WORD
    state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & _WORD
    return state ^ (state >> 31)


def generator(seed: int, *stream: int) -> torch.Generator:
    """Make a PyTorch generator on the CPU that is seeded with ``mix(seed, *stream)``."""
    return torch.Generator().manual_seed(mix(seed, *stream))


def numpy_generator(seed: int, *stream: int) -> np.random.Generator:
    """Make a NumPy generator (PCG64) that is seeded with ``mix(seed, *stream)``."""
    return np.random.Generator(np.random.PCG64(mix(seed, *stream)))


def normal(
    seeds: Sequence[int], shape: tuple[int, ...], stream: int, *, device: torch.device | str
) -> Tensor:
    """Draw standard normal noise for a batch in which sample ``b`` depends on ``(seeds[b], stream)`` only.

    Args:
        seeds: the B sample seeds (``types.Batch["seed"]``).
        shape: the shape of one sample's noise.
        stream: the number of the purpose, so that two purposes of one sample draw different noise.
        device: where the result lives. It is drawn on the CPU, for equal values on every device, and copied
            without waiting for the device.

    Returns:
        ``(B, *shape)`` float32.

    """
    noise = torch.empty((len(seeds), *shape), dtype=torch.float32)
    for row, seed in zip(noise.view(len(seeds), math.prod(shape)), seeds, strict=True):
        row.normal_(generator=generator(seed, stream))
    target = torch.device(device)
    # Only pinned memory can be copied while the device works on.
    return noise.pin_memory().to(target, non_blocking=True) if target.type == "cuda" else noise.to(target)
