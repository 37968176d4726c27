"""Pictures whose red is their matte, in the folders of a matting data set."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from pathlib import Path

SIZE = (24, 36)
FOLDERS = ("train/image", "train/mask", "test/image", "test/mask")


def draw(number: int) -> tuple[np.ndarray, np.ndarray]:
    """(H, W, 3) and (H, W) uint8."""
    matte = np.zeros(SIZE, np.uint8)
    cv2.circle(matte, (8 + 3 * number, 12), 7, 255, -1)
    return np.dstack([matte, np.full(SIZE, 40), np.full(SIZE, 90)]).astype(np.uint8), matte


def write(root: Path, folders: tuple[str, ...] = FOLDERS, count: int = 3) -> Path:
    """Write ``count`` pictures and mattes into each pair of folders."""
    for pictures, mattes in zip(folders[::2], folders[1::2], strict=True):
        for folder in (pictures, mattes):
            (root / folder).mkdir(parents=True)
        for number in range(count):
            picture, matte = draw(number)
            Image.fromarray(picture).save(root / pictures / f"{number}.png")
            Image.fromarray(matte).save(root / mattes / f"{number}.png")
    return root
