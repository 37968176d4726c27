"""A few small GIFs of a moving square, in the layout that ``data=videos`` reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from pathlib import Path


def gif(path: Path, colour: tuple[int, int, int], frames: int = 5, size: int = 40) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pictures = []
    for frame in range(frames):
        picture = np.full((size, size + 8, 3), 200, np.uint8)
        picture[5 + 3 * frame : 20 + 3 * frame, 10:30] = colour
        pictures.append(Image.fromarray(picture))
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=80)


def gif_folder(root: Path, train: int = 2, test: int = 1) -> Path:
    for split, count in (("train", train), ("test", test)):
        for number in range(count):
            gif(root / split / f"clip{number}.gif", (250, 60 * number, 20))
    return root
