"""Clips on their way to the data workers, in one block of memory that all of them share.

A hundred thousand clips as Python objects take some hundred megabytes, in each worker anew, and starting a
worker would take as long as sending them. Packed they are a few hundred bytes each, once for all workers,
and a worker unpacks the one that it reads.
"""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from itertools import chain
from typing import TYPE_CHECKING, overload

import numpy as np
import torch

if TYPE_CHECKING:
    from animate.data.index import Clip


class ClipTable(Sequence[Sequence["Clip"]]):
    """Groups of clips, as ``ClipDataset`` takes them; unpacked one by one.

    Only ever made and read within one run: torch hands its tensors to worker processes as shared memory.

    Args:
        groups: clips by subject.

    """

    def __init__(self, groups: Sequence[Sequence[Clip]]) -> None:
        packed = [pickle.dumps(clip, pickle.HIGHEST_PROTOCOL) for clip in chain.from_iterable(groups)]
        self._bytes = torch.frombuffer(bytearray(b"".join(packed)) or bytearray(1), dtype=torch.uint8)
        self._ends = torch.from_numpy(_sums(map(len, packed)))
        self._groups = torch.from_numpy(_sums(map(len, groups)))

    def __len__(self) -> int:
        return len(self._groups) - 1

    @overload
    def __getitem__(self, number: int) -> Sequence[Clip]: ...
    @overload
    def __getitem__(self, number: slice) -> Sequence[Sequence[Clip]]: ...
    def __getitem__(self, number: int | slice) -> Sequence[Clip] | Sequence[Sequence[Clip]]:
        if isinstance(number, slice):
            return [self[n] for n in range(*number.indices(len(self)))]
        place = range(len(self))[number]
        return _Group(self, range(*self._groups[place : place + 2].tolist()))

    def clip(self, number: int) -> Clip:
        """Unpack the clip of this number, counted over all groups."""
        start, end = self._ends[number : number + 2].tolist()
        unpacked: Clip = pickle.loads(self._bytes[start:end].numpy().tobytes())
        return unpacked


class _Group(Sequence["Clip"]):
    """The clips of one subject."""

    def __init__(self, table: ClipTable, numbers: range) -> None:
        self._table, self._numbers = table, numbers

    def __len__(self) -> int:
        return len(self._numbers)

    @overload
    def __getitem__(self, number: int) -> Clip: ...
    @overload
    def __getitem__(self, number: slice) -> Sequence[Clip]: ...
    def __getitem__(self, number: int | slice) -> Clip | Sequence[Clip]:
        if isinstance(number, slice):
            return _Group(self._table, self._numbers[number])
        return self._table.clip(self._numbers[number])


def _sums(lengths: map[int]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.cumsum([0, *lengths], dtype=np.int64)
