"""Another background: the followed person is cut out of each frame and laid over a colour or a plate."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from animate.annotate.figures import Figure, extent_box, to_pixels
from animate.annotate.frames import batched
from animate.pipelines.pose_set.cutting import centre, cut
from animate.pipelines.pose_set.mattes import open_mattes
from animate.sidecars import digest
from animate.video.image import read_image

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from animate.annotate.frames import Numbered
    from animate.annotate.protocols import Box, Pose
    from animate.pipelines.pose_set.recipe import Segment
    from animate.pipelines.pose_set.video import Footage

    Picture = NDArray[np.uint8]
    Size = tuple[int, int]
    """(height, width)."""

ON = 0.5
"""From here a pixel of a matte is on somebody."""


class Segmentation:
    """What is needed to replace backgrounds: mattes, and what is put behind.

    Args:
        segment: says which.
        footage: the video.

    Raises:
        UserError: the mattes cannot be had (:func:`open_mattes`), or the picture not be read.

    """

    def __init__(self, segment: Segment, footage: Footage) -> None:
        self.mattes = open_mattes(segment.mattes, footage)
        behind = segment.background
        if isinstance(behind, tuple):
            self.behind, content = np.array(behind, np.uint8)[None, None], {}
        else:
            self.behind, content = read_image(behind), {"picture": digest([behind])}
        self.described = segment.to_json() | {"made_by": self.mattes.made_by} | content
        """It by plain values, with all that its result depends on."""


class Replacement:
    """Replaces the background of frames.

    Args:
        segmentation: gives a matte for each frame, and a background: one colour, or a picture that is brought
            to the frames' size by :func:`plate`.
        pose: of the followed person in N frames, in the coordinates of the whole pictures.
        numbers: of these frames in the video.

    """

    def __init__(self, segmentation: Segmentation, pose: Pose, numbers: Sequence[int]) -> None:
        self._mattes, self._behind = segmentation.mattes, segmentation.behind
        self._pose = pose
        self._place = {number: place for place, number in enumerate(numbers)}
        self.nobody: set[int] = set()
        """The numbers of frames in whose matte the followed person is not."""

    def __call__(self, frames: Iterable[Numbered]) -> Iterator[tuple[int, Picture]]:
        """Yield each frame's number, and it with the new background; where the person is not, that alone."""
        for batch in batched(frames):
            places = [self._place[number] for number in batch.numbers]
            boxes = [self._box(place) for place in places]
            mattes = self._mattes(batch, boxes)
            for number, place, image, matte in zip(batch.numbers, places, batch.frames, mattes, strict=True):
                hers = followed(matte, self._joints(place, matte.shape))
                if not (hers >= ON).any():
                    self.nobody.add(number)
                yield number, laid_over(image, hers, self._background(image.shape[:2]))

    def _box(self, place: int) -> Box | None:
        pose = self._pose
        found = pose.found[place].any()
        return extent_box(Figure(pose.points[place], pose.score[place])) if found else None

    def _joints(self, place: int, size: tuple[int, ...]) -> NDArray[np.float32]:
        return to_pixels(self._pose.points[place][self._pose.found[place]], (size[0], size[1]))

    def _background(self, size: tuple[int, ...]) -> Picture:
        return self._behind if self._behind.shape[:2] == (1, 1) else plate(self._behind, (size[0], size[1]))


def plate(picture: Picture, size: Size) -> Picture:
    """Bring a picture to the size of a video's: the largest part of that aspect in its middle."""
    return cut(picture, centre((picture.shape[0], picture.shape[1]), size), size)


def followed(matte: NDArray[np.float32], joints: NDArray[np.float32]) -> NDArray[np.float32]:
    """Keep of a matte (H, W) what belongs to the person with these joints.

    The matte falls into connected parts, where it is at least one half; each other pixel belongs to the part
    nearest to it. Those are kept that hold a joint.

    Args:
        matte: (H, W) in [0, 1].
        joints: (J, 2) x and y in pixels; some may lie outside.

    """
    off = (matte < ON).astype(np.uint8)
    x, y = np.rint(joints).astype(int).T
    inside = (x >= 0) & (x < matte.shape[1]) & (y >= 0) & (y < matte.shape[0])
    x, y = x[inside], y[inside]
    _, part = cv2.distanceTransformWithLabels(off, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_CCOMP)
    hers = np.unique(part[y, x][off[y, x] == 0])
    return np.where(np.isin(part, hers), matte, np.float32(0.0))


def laid_over(image: Picture, matte: NDArray[np.float32], background: Picture) -> Picture:
    """Mix (H, W, 3) with a background, (H, W, 3) or one colour (1, 1, 3), by a matte (H, W): rounded."""
    share = matte[..., None]
    return np.rint(share * image + (np.float32(1.0) - share) * background).astype(np.uint8)
