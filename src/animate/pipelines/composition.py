"""What an output frame is made of: the result over a plate, in its picture, beside the driving frame."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from animate.pipelines.framing import Box, PasteBack
from animate.pipelines.locked_background import Plate
from animate.video.image import resize, resize_mask

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Picture = NDArray[np.uint8]


class Look(Protocol):
    """Those of the settings that say what an output frame looks like."""

    @property
    def keep_size(self) -> bool:
        """Paste the result back into the whole source picture."""

    @property
    def grid(self) -> bool:
        """Put source, driving frame and result side by side."""


def composition(
    picture: Picture, square: Picture, box: Box, look: Look, matte: NDArray[np.float32] | None = None
) -> Callable[[Picture, Picture], Picture]:
    """Return what makes an output frame of a result and its driving frame.

    Args:
        picture: the source, (H, W, 3).
        square: the part of it that is animated, at the model's size.
        box: where that lies in the source.
        look: what the frame shows.
        matte: (H, W), 1 on the figure; results then have a fourth channel, and are laid over a plate.

    """
    paste = PasteBack.into(picture, box) if look.keep_size else None
    shown = picture if paste else square
    plate = None
    if matte is not None:
        part = box.cut(picture) if paste else square
        plate = Plate(part, resize_mask(box.cut(matte), (part.shape[0], part.shape[1])))

    def compose(result: Picture, driving: Picture) -> Picture:
        result = plate(result) if plate else result
        result = paste(result) if paste else result
        height = len(shown)
        return np.hstack([shown, resize(driving, (height, height)), result]) if look.grid else result

    return compose
