"""Small clips and back-ends whose answers can be read off the pictures."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np
import torch

SIZE = (16, 20)
CLIPS = {"a": 4, "b": 1, "c": 6, "d": 3, "e": 5}


def clip(name: str, frames: int) -> dict:
    """A step's output: random pictures of a clip, the prediction near the target."""
    generator = torch.Generator().manual_seed(ord(name[0]))
    target = torch.rand(frames, 3, *SIZE, generator=generator)
    noise = 0.3 * torch.rand(frames, 3, *SIZE, generator=generator)
    return {
        "prediction": (target + noise).clamp(0, 1),
        "target": target,
        "source": target[:1].expand(frames, -1, -1, -1).clone(),
        "clip": [name] * frames,
        "frame": list(range(frames)),
    }


def joined(*outputs: dict) -> dict:
    return {
        key: torch.cat([output[key] for output in outputs])
        if isinstance(value, torch.Tensor)
        else [entry for output in outputs for entry in output[key]]
        for key, value in outputs[0].items()
    }


def part(output: dict, rows: slice) -> dict:
    return {key: value[rows] for key, value in output.items()}


def top_left(frames: np.ndarray) -> np.ndarray:
    """(N,) in [-1, 1]: the red of the first pixel, by which the fake back-ends go."""
    return frames[:, 0, 0, 0].astype(np.float32) / 127.5 - 1


@dataclass
class Watched:
    """Remembers every picture that it was shown."""

    name: str = "fake"
    version: str = "1"
    layout: str = "two"
    threshold: float = 0.5
    seen: list[bytes] = field(default_factory=list)

    def watch(self, frames: np.ndarray) -> np.ndarray:
        assert frames.dtype == np.uint8
        assert frames.shape[1:] == (*SIZE, 3)
        self.seen += [frame.tobytes() for frame in frames]
        return top_left(frames)


class FakePoints(Watched):
    """Two points, at (red, red) and at (0, red); found where red is above -0.5."""

    def __call__(self, frames: np.ndarray) -> SimpleNamespace:
        red = self.watch(frames)
        points = np.stack([np.stack([red, red], 1), np.stack([0 * red, red], 1)], 1)
        found = np.repeat(red[:, None] > -0.5, 2, axis=1)
        return SimpleNamespace(points=points * found[..., None], found=found)


class FakeIdentity(Watched):
    """One number: red; found where it is above -0.5."""

    def __call__(self, frames: np.ndarray) -> SimpleNamespace:
        red = self.watch(frames)
        found = red > -0.5
        return SimpleNamespace(embedding=np.where(found, red, 0)[:, None], found=found)


class FakeMatte(Watched):
    """The left half, or nothing where red is below -0.5."""

    def __call__(self, frames: np.ndarray) -> np.ndarray:
        mask = np.zeros(frames.shape[:3], np.float32)
        mask[:, :, : SIZE[1] // 2] = 1
        return mask * (self.watch(frames) > -0.5)[:, None, None]


class FakeFaces(Watched):
    """A box over the first two rows and three columns."""

    def __call__(self, frames: np.ndarray) -> list[list[tuple[float, ...]]]:
        self.watch(frames)
        right, bottom = 2 * 2 / (SIZE[1] - 1) - 1, 2 * 1 / (SIZE[0] - 1) - 1
        return [[(-1, -1, right, bottom, 0.9), (-1, -1, 1, 1, 0.1)] for _ in frames]
