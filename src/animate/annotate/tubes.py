"""Boxes of single frames linked over time: a tube is one figure from where it appears to where it is lost.

Boxes are in pixels, left, top, right, bottom, measured at pixel edges: a box over the whole of a picture is
(0, 0, width, height).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from animate.video.image import resize

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from numpy.typing import NDArray

    from animate.annotate.frames import Numbered
    from animate.sidecars import Sidecar

    Boxes = NDArray[np.float64]
    """(n, 4) pixels."""

_SAME = 0.5
"""Two boxes of one frame that overlap more than this (IoU) are one figure, found twice."""
_THUMBNAIL = (32, 32)
_CUT_LEAST, _CUT_FACTOR, _CUT_AROUND = 0.06, 4.0, 6


@dataclass(frozen=True, slots=True)
class LinkRules:
    """When two boxes belong to the same tube."""

    overlap: float = 0.3
    """Least IoU of a box with the one before it."""
    home: float = 0.0
    """Least IoU of a box with the tube's first one: a figure that wanders off begins a new tube."""
    max_gap: int = 6
    """So many frames in a row a figure may be missed; it is taken to move evenly between."""


@dataclass(frozen=True, slots=True)
class Tube:
    """One figure over consecutive frames."""

    start: int
    """Its first frame."""
    boxes: Boxes
    """(T, 4) pixels, one for each frame."""
    seen: NDArray[np.bool_]
    """(T,); False where the box was filled in."""

    @property
    def stop(self) -> int:
        """The frame after its last one."""
        return self.start + len(self.boxes)


@dataclass(slots=True)
class _Open:
    """A tube that may go on."""

    frames: list[int] = field(default_factory=list)
    boxes: list[Boxes] = field(default_factory=list)

    def closed(self) -> Tube:
        numbers = np.arange(self.frames[0], self.frames[-1] + 1)
        known = np.stack(self.boxes)
        filled = np.stack([np.interp(numbers, self.frames, side) for side in known.T], axis=1)
        return Tube(self.frames[0], filled, np.isin(numbers, self.frames))


def link(boxes: Sequence[Boxes], rules: LinkRules, cuts: Collection[int] = ()) -> list[Tube]:
    """Link the boxes of each frame into tubes, pair by pair, those that overlap most first.

    Args:
        boxes: (n, 4) pixels for each frame, the surest box first.
        rules: what belongs together.
        cuts: frames that begin a new scene; no tube goes on there.

    Returns:
        Tubes by their first frame.

    """
    done: list[_Open] = []
    running: list[_Open] = []
    for number, found in enumerate(boxes):
        ended = [t for t in running if number in cuts or number - t.frames[-1] > rules.max_gap + 1]
        done += ended
        running = [tube for tube in running if not any(tube is end for end in ended)]
        new = _extend(running, number, distinct(found), rules)
        running += new
    return sorted((tube.closed() for tube in done + running), key=lambda tube: tube.start)


def _extend(running: list[_Open], number: int, found: Boxes, rules: LinkRules) -> list[_Open]:
    """Give each box to the tube that it overlaps most, one each; begin tubes with the others."""
    free = set(range(len(found)))
    waiting = set(range(len(running)))
    last = np.stack([tube.boxes[-1] for tube in running]) if running else np.empty((0, 4))
    overlaps = iou(last, found)
    for flat in np.argsort(-overlaps, axis=None, kind="stable"):
        tube, box = divmod(int(flat), len(found))
        if overlaps[tube, box] < rules.overlap:
            break
        if tube in waiting and box in free and _at_home(running[tube], found[box], rules.home):
            running[tube].frames.append(number)
            running[tube].boxes.append(found[box])
            waiting.remove(tube)
            free.remove(box)
    return [_Open([number], [found[box]]) for box in sorted(free)]


def _at_home(tube: _Open, box: NDArray[np.float64], least: float) -> bool:
    return least <= 0 or float(iou(tube.boxes[0][None], box[None])[0, 0]) >= least


def iou(a: Boxes, b: Boxes) -> NDArray[np.float64]:
    """Intersection over union of each of (n, 4) with each of (m, 4) boxes: (n, m)."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    common = (high - low).clip(0).prod(axis=2)
    areas_a, areas_b = ((x[:, 2:] - x[:, :2]).clip(0).prod(axis=1) for x in (a, b))
    union = areas_a[:, None] + areas_b[None] - common
    overlaps: NDArray[np.float64] = np.divide(common, union, out=np.zeros_like(common), where=union > 0)
    return overlaps


def distinct(boxes: Boxes) -> Boxes:
    """Leave out boxes that a surer one (before them) nearly covers."""
    kept: list[int] = []
    overlaps = iou(boxes, boxes)
    for i in range(len(boxes)):
        if all(overlaps[i, j] <= _SAME for j in kept):
            kept.append(i)
    return boxes[kept]


def scene_cuts(frames: Iterable[Numbered]) -> set[int]:
    """Find the frames that begin a new scene.

    The mean absolute difference of 32x32 pictures of neighbouring frames, on [0, 1], is above 0.06 there, and
    above 4 times the median of the differences around it; so neither a fast movement nor a moving camera is
    a cut. Fades are none either.
    """
    numbers, differences = [], []
    before: NDArray[np.float32] | None = None
    for frame in frames:
        small = resize(frame.image, _THUMBNAIL).astype(np.float32) / np.float32(255)
        if before is not None:
            numbers.append(frame.number)
            differences.append(float(np.abs(small - before).mean()))
        before = small
    values = np.asarray(differences)
    return {numbers[i] for i in np.flatnonzero(values > _CUT_LEAST) if _stands_out(values, int(i))}


def _stands_out(values: NDArray[np.float64], i: int) -> bool:
    around = np.delete(values[max(0, i - _CUT_AROUND) : i + _CUT_AROUND + 1], min(i, _CUT_AROUND))
    return not len(around) or bool(values[i] > _CUT_FACTOR * np.median(around))


def boxes_by_frame(sidecar: Sidecar) -> list[Boxes]:
    """Read the boxes of each frame from a sidecar of faces or persons, in pixels, the surest first."""
    height, width = sidecar.header.size
    boxes, frame = sidecar.array("boxes").astype(np.float64), sidecar.array("frame")
    pixels = to_pixels(boxes, (height, width))
    starts = np.searchsorted(frame, np.arange(sidecar.header.num_frames + 1))
    return [pixels[a:b] for a, b in pairwise(starts)]


def to_pixels(boxes: NDArray[Any], size: tuple[int, int]) -> Boxes:
    """Turn boxes with corners in [-1, 1] (centres of the corner pixels) into edges of pixels of a picture.

    Args:
        boxes: (n, 4 or more): left, top, right, bottom.
        size: (height, width) of the picture.

    """
    last = np.array([size[1] - 1, size[0] - 1] * 2, np.float64)
    pixels: Boxes = (boxes[:, :4] + 1) / 2 * last + np.array([0.0, 0.0, 1.0, 1.0])
    return pixels
