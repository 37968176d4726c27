"""Mattes of persons by torchvision's Mask R-CNN (He et al., 2017; ResNet-50 with a pyramid)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from animate.annotate.figures import main_figures, overlap, unit_box
from animate.annotate.rcnn import SIDE, SURE, Detector

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from animate.annotate.protocols import Box, Frames
    from animate.annotate.rcnn import Answer

PERSON = 1
"""The number of the class."""


class Person(NamedTuple):
    """One of those in a picture."""

    box: Box
    mask: NDArray[np.float32]
    """(H, W) in [0, 1]: how likely each pixel is hers."""


class MaskRcnn:
    """Cuts one person out, also where several touch: each has a mask of her own, coarse (28 x 28 in her box).

    A picture takes about 2 s on a CPU.

    Args:
        device: a torch device; None: the GPU if there is one.
        side: shorter side at which persons are looked for.
        sure: score from which something is a person.

    Raises:
        UserError: the weights cannot be had or are of another network.

    """

    name = "mask_rcnn"

    def __init__(self, device: str | None = None, side: int = SIDE, sure: float = SURE) -> None:
        from torchvision.models.detection import maskrcnn_resnet50_fpn as build

        self._detector = Detector("mask_rcnn", build, "Mask R-CNN", device, side, sure)
        self.version = self._detector.version

    def __call__(self, frames: Frames) -> NDArray[np.float32]:
        """See ``Matter``: of the main person, the largest weighed by how sure it is."""
        persons = self._persons(frames)
        main = main_figures([[person.box for person in frame] for frame in persons])
        return _masks(persons, main, frames)

    def around(self, frames: Frames, boxes: Sequence[Box | None]) -> NDArray[np.float32]:
        """See ``PersonMatter``: the person whose own box overlaps most with the given one."""
        persons = self._persons(frames)
        chosen = [_nearest(some, box) for some, box in zip(persons, boxes, strict=True)]
        return _masks(persons, chosen, frames)

    def _persons(self, frames: Frames) -> list[list[Person]]:
        size = (frames.shape[1], frames.shape[2])
        return [_found(answer, size) for answer in self._detector(frames)]


def _found(answer: Answer, size: tuple[int, int]) -> list[Person]:
    rows = zip(answer["boxes"], answer["scores"], answer["masks"][:, 0], answer["labels"], strict=True)
    return [
        Person(unit_box(corners, float(score), size), mask.astype(np.float32))
        for corners, score, mask, label in rows
        if label == PERSON
    ]


def _nearest(persons: Sequence[Person], box: Box | None) -> int | None:
    """Choose by the overlap with a box; None where none overlaps."""
    shares = [overlap(person.box, box) for person in persons] if box else []
    return int(np.argmax(shares)) if shares and max(shares) > 0.0 else None


def _masks(
    persons: Sequence[Sequence[Person]], chosen: Sequence[int | None], frames: Frames
) -> NDArray[np.float32]:
    """Stack (N, H, W); zeros where nobody is chosen."""
    masks = np.zeros(frames.shape[:3], np.float32)
    for mask, frame, number in zip(masks, persons, chosen, strict=True):
        if number is not None:
            mask[:] = frame[number].mask
    return masks
