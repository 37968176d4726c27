"""A background that stands still: the moving figure is laid over a plate of the source picture.

The plate is the source itself, to the bit, but for the place where the figure was: that is filled from what
surrounds it, so that no ghost of the figure stays where it has moved away.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from animate.annotate import backends
from animate.errors import UserError
from animate.ops.classical_fills import telea
from animate.video.decode import stream
from animate.video.image import resize

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    Picture = NDArray[np.uint8]
    Matte = NDArray[np.float32]

LOW, HIGH = 0.1, 0.9
"""Mattes are stretched between these to [0, 1]: the haze that back-ends leave on the background is none."""
TINT = 32
"""Levels by which the channels of a grey picture may differ: those of a lossy format are not quite equal."""
RIM = 0.015
"""Around the figure that is filled as well, as a share of the shorter side: its outline is mixed with it."""


def source_matte(picture: Picture, matte: Path | str) -> Matte:
    """Cut the figure out of the source.

    Args:
        picture: the source, (H, W, 3).
        matte: a grey picture of the same size (of a video the first frame), 1 being white and the figure; or
            the name of a back-end of mattes.

    Returns:
        (H, W) in [0, 1].

    Raises:
        UserError: there is no such file or back-end, it is not grey, its size is another, or there is no
            figure in it.

    """
    found = backends.mattes(matte)(picture[None])[0] if isinstance(matte, str) else _read(matte)
    if found.shape != picture.shape[:2]:
        (height, width), (h, w) = picture.shape[:2], found.shape
        raise UserError(f"{matte}: the matte has {w}x{h} pixels and the source {width}x{height}; use its own")
    clear = ((found - LOW) / (HIGH - LOW)).clip(0, 1).astype(np.float32)
    if not (clear > 0.5).any():
        raise UserError(f"{matte}: no figure in the matte; white is the figure, black the background")
    return clear


def _read(path: Path) -> Matte:
    if not path.exists():
        known = ", ".join(sorted(backends.MATTES))
        raise UserError(f"{path}: is neither a file nor a back-end of mattes; known are: {known}")
    frame = next(stream(path, 0, 1), None)
    if frame is None:
        raise UserError(f"{path}: its first frame cannot be decoded; use another matte")
    if int(np.ptp(frame.image, axis=2).max()) > TINT:
        raise UserError(
            f"{path}: is in colour, and a matte is grey: white on the figure, black around it;"
            " `animate matte` makes one"
        )
    return np.asarray(frame.image.mean(axis=2) / 255, np.float32)


class Plate:
    """The source without its figure; lays the moved figure over it.

    Args:
        picture: (h, w, 3), what is animated.
        matte: (h, w) in [0, 1], 1 on the figure.

    """

    def __init__(self, picture: Picture, matte: Matte) -> None:
        side = 2 * max(1, round(RIM * min(matte.shape))) + 1
        hole = cv2.dilate((matte > 0).astype(np.uint8), np.ones((side, side), np.uint8))
        self.picture: Picture = telea(picture, hole.astype(np.uint8))

    def __call__(self, figure: NDArray[np.uint8]) -> Picture:
        """Lay a figure (S, S, 4), whose last channel says where it is, over the plate: (h, w, 3)."""
        height, width = self.picture.shape[:2]
        moved = resize(figure, (height, width)).astype(np.float32)
        cover = moved[..., 3:] / np.float32(255)
        return np.rint(self.picture + cover * (moved[..., :3] - self.picture)).astype(np.uint8)
