"""Frames of a data set by their place in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from animate.errors import UserError
from animate.video.decode import read_frames

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from animate.pipelines.pose_set.recipe import PoseSet


def frames_at(
    made: PoseSet, places: Sequence[int]
) -> Iterator[tuple[int, NDArray[np.uint8], NDArray[np.uint8] | None]]:
    """Read frames, each with the one after it where its clip has one.

    Places that no clip has (skipped ones of the held-out part) are left out.

    Raises:
        UserError: a file is missing or damaged.

    """
    for place in places:
        for piece in made.pieces:
            number = place - piece.first
            if 0 <= number < piece.count:
                last = number + 1 == piece.count
                pair = read_frames(made.folder / piece.path, [number] if last else [number, number + 1])
                yield place, pair[0], None if last else pair[1]


def frame(made: PoseSet, place: int) -> NDArray[np.uint8]:
    """Read one frame. Raises ``UserError`` when it is in no clip."""
    for _, image, _ in frames_at(made, [place]):
        return image
    raise UserError(f"{made.folder}: frame {place} is in none of its clips")
