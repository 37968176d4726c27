"""Holes in pictures: whose shape they have, how large they are, and where they lie and move.

Everything is drawn once for a sample or a clip; a :class:`Hole` then gives the mask of any of its frames.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import cv2
import numpy as np

from animate.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from animate.data.index import Split

    Mask = NDArray[np.float32]

LOOKS = 8
"""In so many frames a moving shape is measured, before it is placed."""
_IN_HOLE = 0.5


class Shape(Protocol):
    """What a hole looks like, frame by frame."""

    def __call__(self, frame: int) -> NDArray[np.float32]:
        """Give the frame's shape (h, w) in [0, 1], 1 inside; every frame has one size, and no end."""


class Figure(Shape, Protocol):
    """Somebody who can be shown, not only cut out."""

    def colours(self, frame: int) -> NDArray[np.float32]:
        """Give the frame's figure (h, w, 3) in [0, 255], as bright as it covers: black where nobody is."""


class Shapes(Protocol):
    """Where the shapes of holes come from."""

    def draw(self, rng: np.random.Generator, split: Split) -> Shape:
        """Draw a shape.

        Args:
            rng: the generator of the sample.
            split: shapes of different splits are of different figures.

        Raises:
            UserError: there is none.

        """


@dataclass(frozen=True, slots=True)
class Holes:
    """Draws holes: a shape, scaled to a share of the picture, mirrored or not, somewhere in it.

    A shape lies wholly inside of the picture where it fits; one that is larger is cut by the edges, and then
    takes less than its share.

    Args:
        shapes: what they look like.
        share: (smallest, largest) share of the picture, uniform.
        drift: how far a hole moves from a clip's first frame to its last, besides what its figure does: at
            most so many sides of the picture, in each direction.

    Raises:
        UserError: a value is outside of its range.

    """

    shapes: Shapes
    share: tuple[float, float] | Sequence[float] = (0.05, 0.3)
    drift: float = 0.2

    def __post_init__(self) -> None:
        low, high = self.share
        if not 0 < low <= high < 1:
            raise UserError(
                f"share={list(self.share)}: [smallest, largest] share of the picture, above 0 and below 1"
            )
        if self.drift < 0:
            raise UserError(f"drift={self.drift}: at least 0 sides of the picture")

    def draw(self, rng: np.random.Generator, frames: int, split: Split) -> Hole:
        """Draw a hole for a clip of so many frames."""
        shape = self.shapes.draw(rng, split)
        low, high = self.share
        share, mirror, x, y, dx, dy = (float(u) for u in rng.random(6))
        return Hole(
            shape,
            frames,
            share=low + share * (high - low),
            mirrored=mirror < 0.5,
            place=(x, y),
            drift=(self.drift * (2 * dx - 1), self.drift * (2 * dy - 1)),
        )


@dataclass(frozen=True)
class Hole:
    """One hole over the frames of a clip.

    Attributes:
        shape: of its figure.
        frames: of the clip.
        share: of the picture that it is to take, on average over the frames.
        mirrored: left and right exchanged.
        place: where it begins, (x, y) as shares of the room that it has.
        drift: how far it moves to the last frame, (x, y) in sides of the picture; stopped by the edges.

    """

    shape: Shape
    frames: int
    share: float
    mirrored: bool
    place: tuple[float, float]
    drift: tuple[float, float]

    def masks(self, indices: Sequence[int], size: tuple[int, int]) -> Mask:
        """Give the masks of these frames: (T, H, W) float32, 1 in the hole, else 0; ``size`` = (H, W)."""
        return (self.placed(self.shape, indices, size) > _IN_HOLE).astype(np.float32)

    def placed(self, drawn: Shape, indices: Sequence[int], size: tuple[int, int]) -> Mask:
        """Put what is drawn where the hole lies in these frames: (T, H, W), and channels where it has some.

        Args:
            drawn: frame by frame, of the size of the shape; its matte, or what it looks like.
            indices: numbers of the frames.
            size: (H, W).

        """
        scale, box = self._scaled(size)
        # A frame asked for twice is drawn once.
        frames = {index: self._warped(drawn, index, scale, box, size) for index in dict.fromkeys(indices)}
        return np.stack([frames[index] for index in indices])

    def _scaled(self, size: tuple[int, int]) -> tuple[float, NDArray[np.float64]]:
        """Measure the figure: its scale, and the box (left, top, right, bottom) around all it does, in px."""
        looks = np.unique(np.linspace(0, self.frames - 1, LOOKS).astype(int))
        seen = np.stack([self._mirrored(self.shape(int(frame))) for frame in looks])
        area = float((seen > _IN_HOLE).mean(0).sum())
        if area < 1:
            raise UserError("a hole's figure is not in the picture")
        scale = (self.share * size[0] * size[1] / area) ** 0.5
        rows, columns = (np.flatnonzero((seen > _IN_HOLE).any(axis=axes)) for axes in ((0, 2), (0, 1)))
        return scale, scale * np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1])

    def _mirrored(self, drawn: Mask) -> Mask:
        return drawn[:, ::-1] if self.mirrored else drawn

    def _warped(
        self, drawn: Shape, frame: int, scale: float, box: NDArray[np.float64], size: tuple[int, int]
    ) -> Mask:
        progress = frame / max(self.frames - 1, 1)
        left, top = (
            _along(self.place[i], progress * self.drift[i] * length, length - (box[i + 2] - box[i])) - box[i]
            for i, length in enumerate((size[1], size[0]))
        )
        # Half a pixel, because positions are of pixels' edges and the map is of their centres.
        shift = (scale - 1) / 2
        matrix = np.array([[scale, 0.0, left + shift], [0.0, scale, top + shift]])
        figure = np.ascontiguousarray(self._mirrored(drawn(frame)))
        return np.asarray(cv2.warpAffine(figure, matrix, size[::-1], flags=cv2.INTER_LINEAR), np.float32)


def _along(place: float, moved: float, room: float) -> float:
    """Move within the room between the edges; a box that is larger than the picture always covers it."""
    start = place * room
    return min(max(start + moved, min(room, 0.0)), max(room, 0.0))
