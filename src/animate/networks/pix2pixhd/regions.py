"""Where the face generator looks: squares around the head and the hands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch

from animate.ops.crop import corners_around, crop, paste

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from animate.layouts import Layout

Regions = Literal["head", "head_hands"]
REGIONS: dict[Regions, tuple[tuple[str, ...], ...]] = {
    "head": (("nose", "right_eye", "left_eye", "right_ear", "left_ear"),),
    "head_hands": (
        ("nose", "right_eye", "left_eye", "right_ear", "left_ear"),
        ("right_wrist",),
        ("left_wrist",),
    ),
}
"""The points that a square lies around, by the names of ``animate.layouts``."""
_SOFT = 8  # a square fades over this part of its side


def points_of(regions: Regions, layout: Layout) -> list[list[int]]:
    """Find the points of each region in a layout; none where the layout has none of them."""
    return [[i for i, name in enumerate(layout.points) if name in names] for names in REGIONS[regions]]


@dataclass(frozen=True, slots=True)
class Squares:
    """R squares in each of B pictures."""

    corners: Tensor
    """(R, B, 2) int64 (x, y), upper left."""
    found: Tensor
    """(R, B) bool; the squares of regions that were not found lie in the middle of the picture."""
    side: int
    """In pixels."""

    @classmethod
    def around(
        cls, points: Tensor, found: Tensor, regions: Sequence[Sequence[int]], side: int, size: tuple[int, int]
    ) -> Squares:
        """Place the squares.

        Args:
            points: (B, J, 2) in [-1, 1].
            found: (B, J) bool.
            regions: for each region its points' places.
            side: of the squares in pixels; smaller where the picture is.
            size: (height, width) of the pictures.

        """
        side = min(side, *size)
        placed = [corners_around(points[:, places], found[:, places], side, size) for places in regions]
        corners, there = zip(*placed, strict=True)
        return cls(torch.stack(corners), torch.stack(there), side)

    def cut(self, pictures: Tensor) -> Tensor:
        """Cut all squares out of ``(B, C, H, W)``: ``(R B, C, side, side)``, region by region."""
        times = len(self.corners)
        return crop(pictures.repeat(times, 1, 1, 1), self.corners.flatten(0, 1), self.side)

    def put_back(self, pictures: Tensor, squares: Tensor) -> Tensor:
        """Paste ``(R B, C, side, side)`` with soft edges over ``(B, C, H, W)``, those that were found."""
        by_region = squares.view(len(self.corners), -1, *squares.shape[1:])
        for square, corners, there in zip(by_region, self.corners, self.found, strict=True):
            pasted = paste(pictures, square, corners, feather=self.side // _SOFT)
            pictures = torch.where(there[:, None, None, None], pasted, pictures)
        return pictures
