"""Sums and counts per clip: what means over frames, their intervals and a report's clips are made of."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from animate.metrics.bootstrap import Interval, mean_interval

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from animate.metrics.base import FrameScores


class Column(NamedTuple):
    """Which number of a clip."""

    row: str
    """``model`` or a baseline."""
    metric: str


@dataclass(frozen=True, slots=True)
class Sums:
    """What a metric said of a clip's frames."""

    total: float = 0.0
    count: int = 0
    missing: int = 0

    @property
    def mean(self) -> float:
        """Over the frames that are defined; NaN without any."""
        return self.total / self.count if self.count else math.nan

    def __add__(self, other: Sums) -> Sums:
        return Sums(self.total + other.total, self.count + other.count, self.missing + other.missing)


class ClipTable:
    """The sums of every clip and column. Its size does not depend on how many frames there are."""

    def __init__(self) -> None:
        self.frames: Counter[str] = Counter()
        """By clip."""
        self.sums: dict[str, dict[Column, Sums]] = {}
        """By clip, then by column."""

    def count(self, clips: Sequence[str]) -> None:
        """Count frames; ``clips`` names the clip of each."""
        self.frames.update(clips)

    def add(self, column: Column, clips: Sequence[str], scores: FrameScores) -> None:
        """Add what a metric said of frames; ``clips`` names the clip of each."""
        values = scores.value.tolist()
        missing = [False] * len(values) if scores.missing is None else scores.missing.tolist()
        entries = zip(clips, values, missing, strict=True)
        for clip, group in groupby(entries, key=lambda entry: entry[0]):
            _, of_clip, lost = zip(*group, strict=True)
            defined = [value for value in of_clip if not math.isnan(value)]
            self._add(clip, column, Sums(sum(defined), len(defined), sum(lost)))

    def _add(self, clip: str, column: Column, sums: Sums) -> None:
        columns = self.sums.setdefault(clip, {})
        columns[column] = columns.get(column, Sums()) + sums

    def include(self, other: ClipTable) -> None:
        """Add the clips of another process."""
        self.frames.update(other.frames)
        for clip, columns in other.sums.items():
            for column, sums in columns.items():
                self._add(clip, column, sums)

    @property
    def clips(self) -> list[str]:
        """Their names, sorted: the order on which nothing depends that happened."""
        return sorted(self.frames)

    def of(self, clip: str, column: Column) -> Sums:
        """Give the sums of a clip; empty ones where there are none."""
        return self.sums.get(clip, {}).get(column, Sums())

    def interval(self, column: Column) -> Interval:
        """Compute the mean over all frames with its bootstrap interval over clips."""
        sums = self._column(column)
        return mean_interval([entry.mean for entry in sums], [entry.count for entry in sums])

    def total(self, column: Column) -> Sums:
        """Add up all clips."""
        return sum(self._column(column), Sums())

    def _column(self, column: Column) -> list[Sums]:
        return [self.of(clip, column) for clip in self.clips]


def merged(tables: Iterable[ClipTable]) -> ClipTable:
    """Put the clips of several processes into one table; a clip that two of them have is added up."""
    whole = ClipTable()
    for table in tables:
        whole.include(table)
    return whole
