"""Which part of a picture the square model sees, and how its result comes back into the picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np

from animate.errors import UserError
from animate.video.image import resize

if TYPE_CHECKING:
    from numpy.typing import NDArray

Value = TypeVar("Value", bound=np.generic)

FEATHER = 0.08
"""Width of the soft edge as a share of the box's shorter side."""


class Box(NamedTuple):
    """A rectangle of a picture in pixels: left, top, width, height."""

    left: int
    top: int
    width: int
    height: int

    @classmethod
    def parse(cls, text: str) -> Box:
        """Read ``x,y,width,height`` in whole pixels.

        Raises:
            ValueError: the text is something else, or the box has no area.

        """
        box = cls(*(int(part) for part in text.split(",")))
        if min(box.left, box.top) < 0 or min(box.width, box.height) < 1:
            raise ValueError(text)
        return box

    @classmethod
    def centre_square(cls, height: int, width: int) -> Box:
        """Take the biggest square in the middle of a picture."""
        side = min(height, width)
        return cls((width - side) // 2, (height - side) // 2, side, side)

    def check(self, image: NDArray[np.uint8], name: str) -> Box:
        """Return the box if it lies inside of the ``(H, W, 3)`` picture, else raise a UserError."""
        height, width = image.shape[:2]
        if self.left + self.width > width or self.top + self.height > height:
            raise UserError(
                f"{name}: the box {','.join(map(str, self))} does not fit into its {width}x{height} pixels; "
                "give x,y,width,height in pixels of the upright picture"
            )
        return self

    def cut(self, image: NDArray[Value]) -> NDArray[Value]:
        """Return the part of an ``(H, W, 3)`` picture, or an ``(H, W)`` matte, inside of the box: a view."""
        return image[self.top : self.top + self.height, self.left : self.left + self.width]


def to_model(image: NDArray[np.uint8], size: int, box: Box | None = None) -> NDArray[np.uint8]:
    """Bring an ``(H, W, 3)`` uint8 picture to the model's ``(size, size, 3)``.

    Without a box it is the biggest square in the middle, so nothing is stretched. A box that is not square is
    stretched: with the whole picture as the box this is what the published code does.
    """
    part = (box or Box.centre_square(*image.shape[:2])).cut(image)
    return np.ascontiguousarray(part if part.shape[:2] == (size, size) else resize(part, (size, size)))


@dataclass(frozen=True, slots=True)
class PasteBack:
    """Puts animated squares back into the picture that they were cut from, at its own size and aspect.

    Outside of the box the picture is untouched, to the bit. Inside, the result is resized to the box and
    fades in over a rim of ``FEATHER`` times the box's shorter side; sides of the box that lie on the
    picture's own edge do not fade, as there is nothing left to fade into.

    Args:
        picture: ``(H, W, 3)`` uint8.
        box: where the animated part belongs.
        alpha: ``(h, w, 1)`` float32 weight of the animated part.

    """

    picture: NDArray[np.uint8]
    box: Box
    alpha: NDArray[np.float32]

    @classmethod
    def into(cls, picture: NDArray[np.uint8], box: Box) -> PasteBack:
        """Prepare pasting into this picture."""
        height, width = picture.shape[:2]
        rim = max(1, round(FEATHER * min(box.width, box.height)))
        rows = _ramp(box.height, rim, box.top > 0, box.top + box.height < height)
        columns = _ramp(box.width, rim, box.left > 0, box.left + box.width < width)
        return cls(picture, box, (rows[:, None] * columns[None, :])[..., None])

    def __call__(self, animated: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return a new ``(H, W, 3)`` picture with the animated ``(S, S, 3)`` square in its box."""
        part = resize(animated, (self.box.height, self.box.width)).astype(np.float32)
        result = self.picture.copy()
        below = self.box.cut(result)
        below[...] = np.rint(below + self.alpha * (part - below)).astype(np.uint8)
        return result


def _ramp(length: int, rim: int, fade_start: bool, fade_end: bool) -> NDArray[np.float32]:
    """Weights along one side of the box: 1 inside, falling to nearly 0 over ``rim`` pixels at fading ends."""
    steps = np.arange(1, length + 1, dtype=np.float32) / (rim + 1)
    ramp = np.ones(length, np.float32)
    if fade_start:
        ramp = np.minimum(ramp, steps)
    if fade_end:
        ramp = np.minimum(ramp, steps[::-1])
    return ramp
