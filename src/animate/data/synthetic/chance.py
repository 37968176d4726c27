"""Draws that are the same on every machine: everything derives from uniform numbers of a PCG64 stream."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from animate.ops.random import numpy_generator

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

Item = TypeVar("Item")


class Chance:
    """Random choices that are a pure function of integers.

    Only ``Generator.random`` is used: NumPy does not promise the streams of its other distributions from one
    version to the next.
    """

    def __init__(self, seed: int, *stream: int) -> None:
        self._generator = numpy_generator(seed, *stream)

    def uniform(self, low: float, high: float) -> float:
        """Return a number in [low, high)."""
        return low + (high - low) * float(self._generator.random())

    def happens(self, probability: float) -> bool:
        """Return True with this probability."""
        return float(self._generator.random()) < probability

    def sign(self) -> float:
        """-1 or 1."""
        return 1.0 if self.happens(0.5) else -1.0

    def integer(self, stop: int) -> int:
        """Return an integer in [0, stop)."""
        return min(int(self._generator.random() * stop), stop - 1)

    def pick(self, items: Sequence[Item]) -> Item:
        """One of the items."""
        return items[self.integer(len(items))]

    def grid(self, rows: int, columns: int) -> NDArray[np.float32]:
        """(rows, columns) float32 numbers in [0, 1)."""
        return self._generator.random((rows, columns)).astype(np.float32)

    def wave(self, times: NDArray[np.float64], frequency: float, harmonics: int = 3) -> NDArray[np.float64]:
        """Return a smooth periodic curve through [-1, 1]: harmonics of ``frequency`` (Hz).

        The amplitude of harmonic k falls as 1/k^2.5, so that the acceleration stays bounded by a few times
        that of the base frequency alone.
        """
        ranks = range(1, harmonics + 1)
        weights = [(1.0 if k == 1 else self.uniform(0.2, 1.0)) / k**2.5 for k in ranks]
        phases = [self.uniform(0.0, 2.0 * math.pi) for _ in ranks]
        curve = sum(
            w * np.sin(2.0 * math.pi * k * frequency * times + phase)
            for k, w, phase in zip(ranks, weights, phases, strict=True)
        )
        return np.asarray(curve / sum(weights))
