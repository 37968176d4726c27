"""Pictures of three classes with their maps, in the folders that pix2pixHD takes Cityscapes from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from pathlib import Path

SIZE = (32, 48)
COLOURS = np.array([(90, 120, 200), (200, 60, 50), (60, 170, 80)], np.uint8)
"""Of ground, boxes and discs; each instance is a little lighter or darker."""


def draw(rng):
    """Return picture, classes (0 to 2) and instances (ground 0, boxes from 1000, discs from 2000)."""
    label, instance = np.zeros(SIZE, np.uint8), np.zeros(SIZE, np.uint16)
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    picture = np.broadcast_to(COLOURS[0], (*SIZE, 3)).astype(int).copy()
    for number in range(4):
        kind = 1 + number % 2
        cx, cy, r = rng.integers(8, SIZE[1] - 8), rng.integers(8, SIZE[0] - 8), rng.integers(4, 8)
        far = np.maximum(abs(x - cx), abs(y - cy)) if kind == 1 else np.hypot(x - cx, y - cy)
        label[far <= r], instance[far <= r] = kind, 1000 * kind + number
        picture[far <= r] = COLOURS[kind] + rng.integers(-40, 40)
    return picture.clip(0, 255).astype(np.uint8), label, instance


def write(root: Path, count: int = 3) -> Path:
    """Write ``count`` training and 2 test pictures."""
    rng = np.random.default_rng(0)
    for split, number in (("train", count), ("test", 2)):
        for kind in ("img", "label", "inst"):
            (root / f"{split}_{kind}").mkdir(parents=True)
        for n in range(number):
            picture, label, instance = draw(rng)
            name = f"town_{n:06d}"
            Image.fromarray(picture).save(root / f"{split}_img" / f"{name}_leftImg8bit.png")
            Image.fromarray(label).save(root / f"{split}_label" / f"{name}_gtFine_labelIds.png")
            Image.fromarray(instance).save(root / f"{split}_inst" / f"{name}_gtFine_instanceIds.png")
    return root
