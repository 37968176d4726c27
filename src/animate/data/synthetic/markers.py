"""Markers found in many pictures at once: which pixels are a marker's, and whose marker it is.

Pixels that are saturated and bright belong to markers alone, and their hue says which. They are few, so all
further work is done on a list of them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

from animate.data.synthetic.figure import MARKER_RADIUS
from animate.data.synthetic.palette import marker_colours

if TYPE_CHECKING:
    from numpy.typing import NDArray

_PURE = 0.78
"""Saturation from which a pixel is a marker's; the art stays below ``palette.MAX_SATURATION``."""
_LEAST_CHROMA = np.floor(_PURE * np.arange(256)).astype(np.uint8)
"""The same as a difference between strongest and weakest colour, for each value of the strongest."""
_BRIGHT = 90
_COVERED = 0.3
"""Share of a marker's disc that has to be there."""
_REACH = 1.5
"""Half the side of the square around a marker's centre whose pixels are averaged, in radii of its disc."""
_ROUNDS = 3
"""How often the square is moved to the average of the pixels in it."""


class Spots(NamedTuple):
    """Markers of J joints in N pictures."""

    points: NDArray[np.float32]
    """(N, J, 2) in [-1, 1]; (0, 0) where not found."""
    found: NDArray[np.bool_]
    """(N, J)."""
    covered: NDArray[np.float32]
    """(N, J) in [0, 1]: the share of the marker's disc that was seen; 0 where not found."""


@dataclass(frozen=True, slots=True)
class MarkerPixels:
    """All pixels of N pictures (H, W) that are a marker's; M of them."""

    count: int
    """N."""
    size: tuple[int, int]
    """(H, W)."""
    picture: NDArray[np.int64]
    """(M,): of which picture."""
    place: NDArray[np.float64]
    """(M, 2): x and y in pixels."""
    hue: NDArray[np.float32]
    """(M,): in turns, [0, 1)."""

    def fit(self, joints: int) -> NDArray[np.float64]:
        """How well the hues of each picture are those of a figure with this many joints: (N,) in [-1, 1].

        The hues of J joints are the multiples of 1/J, so the mean of cos(2 pi J hue) is 1 for the right J
        and near 0 for another. 0 where there is no pixel.
        """
        comb = np.cos(2.0 * np.pi * joints * self.hue)
        total = np.bincount(self.picture, weights=comb, minlength=self.count)
        return np.asarray(total / np.maximum(np.bincount(self.picture, minlength=self.count), 1))

    def spots(self, joints: int) -> Spots:
        """Find the markers of a figure with this many joints.

        Each is the densest place of the pixels of its hue, moved to their mean nearby, as long as enough of
        its disc is there.
        """
        present, group = np.unique(self.picture * joints + self._nearest(joints), return_inverse=True)
        radius = MARKER_RADIUS * np.maximum(np.array(self.size[::-1]) - 1, 1) / 2.0
        centre = self._densest(group, len(present), radius)
        number = np.zeros(len(present), np.int64)
        for _ in range(_ROUNDS):
            near = np.all(np.abs(self.place - centre[group]) <= np.ceil(_REACH * radius), axis=1)
            number = np.bincount(group[near], minlength=len(centre)).astype(np.int64)
            sums = [np.bincount(group[near], self.place[near, axis], len(centre)) for axis in (0, 1)]
            centre = np.stack(sums, axis=1) / np.maximum(number, 1)[:, None]
        share = number / (np.pi * radius.prod())
        seen = share >= _COVERED
        points = np.zeros((self.count * joints, 2), np.float32)
        covered = np.zeros(self.count * joints, np.float32)
        points[present[seen]] = centre[seen] * MARKER_RADIUS / radius - 1.0
        covered[present[seen]] = np.minimum(share[seen], 1.0)
        shape = (self.count, joints)
        return Spots(points.reshape(*shape, 2), covered.reshape(shape) > 0.0, covered.reshape(shape))

    def only(self, pictures: NDArray[np.bool_]) -> MarkerPixels:
        """Leave out the pixels of some of the N pictures."""
        keep = pictures[self.picture]
        return replace(self, picture=self.picture[keep], place=self.place[keep], hue=self.hue[keep])

    def _nearest(self, joints: int) -> NDArray[np.int64]:
        """Tell (M,) the joint whose marker's hue is nearest."""
        colours = np.array(marker_colours(joints), dtype=np.float32)
        own = cv2.cvtColor(colours[None], cv2.COLOR_RGB2HSV)[0, :, 0] / 360.0
        joint_of_step = np.argsort(np.rint(own * joints).astype(np.int64) % joints)
        return np.asarray(joint_of_step[np.rint(self.hue * joints).astype(np.int64) % joints])

    def _densest(
        self, group: NDArray[np.int64], groups: int, radius: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Find the middle (groups, 2) of the densest block of 2 x 2 cells, each a radius wide."""
        # A free row and column on all sides, so that blocks of two may hang over the edge.
        cells = np.floor(self.place / radius).astype(np.int64) + 1
        columns, rows = (np.ceil(np.array(self.size[::-1]) / radius).astype(np.int64) + 2).tolist()
        flat = (group * rows + cells[:, 1]) * columns + cells[:, 0]
        counts = np.bincount(flat, minlength=groups * rows * columns).reshape(groups, rows, columns)
        counts = counts.astype(np.float32)
        blocks = counts[:, 1:] + counts[:, :-1]
        blocks = blocks[:, :, 1:] + blocks[:, :, :-1]
        row, column = np.divmod(
            blocks.reshape(groups, (rows - 1) * (columns - 1)).argmax(axis=1), columns - 1
        )
        return np.stack([column, row], axis=1) * radius


def marker_pixels(pictures: NDArray[np.uint8]) -> MarkerPixels:
    """Find the pixels of markers in (N, H, W, 3) uint8 RGB."""
    red, green, blue = (np.ascontiguousarray(pictures[..., i]) for i in range(3))
    high = np.maximum(np.maximum(red, green), blue)
    low = np.minimum(np.minimum(red, green), blue)
    pure = (high - low > _LEAST_CHROMA[high]) & (high > _BRIGHT)
    picture, y, x = np.nonzero(pure)
    colours = pictures[pure].astype(np.float32)
    hue = cv2.cvtColor(colours[None], cv2.COLOR_RGB2HSV)[0, :, 0] if len(colours) else np.zeros(0, np.float32)
    place = np.stack([x, y], axis=1).astype(np.float64)
    return MarkerPixels(len(pictures), pictures.shape[1:3], picture, place, hue / np.float32(360.0))
