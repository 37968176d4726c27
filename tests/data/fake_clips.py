"""Clips that know their pixels: every value of a frame tells the clip and the frame number."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from animate.data.index import Clip
from animate.errors import UserError


@dataclass(frozen=True)
class FakeSource:
    """Opens a fake clip; a broken one fails when frames are read."""

    value: int
    broken: bool = False

    def open(self, clip: Clip) -> FakeReader:
        return FakeReader(self, clip)


class FakeReader:
    def __init__(self, source: FakeSource, clip: Clip) -> None:
        self.source, self.clip = source, clip

    def frames(self, indices, size):
        if self.source.broken:
            raise UserError(f"{self.clip.name}: the file\nis damaged")
        frames = np.zeros((len(indices), *size, 3), np.uint8)
        frames[..., 0] = self.source.value
        frames[..., 1] = np.asarray(indices)[:, None, None]
        frames[..., 2] = np.arange(size[1], dtype=np.uint8)  # so that a mirror is seen
        return frames

    def truth(self, indices, size):
        points = np.zeros((len(indices), 2, 2), np.float32)
        points[:, 0] = [0.5, -0.25]
        points[:, 1] = [-1.0, 1.0]
        return {
            "points": points,
            "visible": np.ones((len(indices), 2), bool),
            "person_mask": np.ones((len(indices), *size), np.float32),
            "identity": np.int64(self.source.value),
        }


class FakeIndex:
    """Clips per split; ``subject`` gives each clip's subject, ``broken`` the numbers that cannot be read."""

    def __init__(self, train=6, val=3, test=3, *, frames=20, broken=(), subject=lambda i: f"clip{i}") -> None:
        self.problems: list[str] = []
        self.counts = {"train": train, "val": val, "test": test}
        self.num_frames, self.broken, self.subject = frames, set(broken), subject

    def clips(self, split):
        return [self._clip(split, i) for i in range(self.counts[split])]

    def _clip(self, split, i):
        broken = split == "train" and i in self.broken
        name = f"clip{i}"
        source = FakeSource(i, broken)
        return Clip(name, self.subject(i), Path(name), self.num_frames, True, 25.0, (8, 8), source)
