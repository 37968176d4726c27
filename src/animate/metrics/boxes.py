"""Boxes around a body and its head, from the points of a pose: regions of the target for other metrics.

Chan et al., "Everybody Dance Now" (2019), compare frames inside of such boxes, so that the background, most
of every frame, does not hide the person.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from animate.layouts import FACE70, MEDIAPIPE33, PUPPET_FACE

if TYPE_CHECKING:
    from animate.layouts import Layout

BODY_BOX, FACE_BOX = "body_box", "face_box"
BOXES = (BODY_BOX, FACE_BOX)
"""The names of the regions."""
BODY_MARGIN = 0.15
"""On each side of the box of all points, in parts of its longer side: hands, feet and hair reach beyond."""
HEAD_SCALE = 2.0
"""The side of the square around the head, in parts of the longer side of the box of its points."""
SMALLEST_HEAD = 0.15
"""The least that this side is, in parts of the longer side of the box of all points: one ear has no size."""
_NO_HEAD = ("neck", "right_shoulder", "left_shoulder")
HEAD = frozenset(
    (*MEDIAPIPE33.points[:11], *FACE70.points, *(p for p in PUPPET_FACE.points if p not in _NO_HEAD))
)
"""The points of heads, by the last parts of their names in ``animate.layouts``."""


def box_masks(points: Tensor, found: Tensor, layout: Layout, size: tuple[int, int]) -> dict[str, Tensor]:
    """Draw the boxes of N poses as masks.

    The face's box is a square about the middle of the box of the head's points, :data:`HEAD_SCALE` times as
    large as that box's longer side, and at least :data:`SMALLEST_HEAD` of the longer side of the box of all
    points. The body's is that box of all points, with :data:`BODY_MARGIN` of its longer side more on each
    side, widened where the face's reaches beyond. All in pixels; what lies outside of the picture is cut off.

    Args:
        points: (N, J, 2) in [-1, 1].
        found: (N, J) bool.
        layout: of the points.
        size: (height, width) of the pictures.

    Returns:
        By the names of :data:`BOXES`: (N, 1, H, W) float32, 1 on pixels whose centres lie in the box, empty
        where no point of it was found.

    """
    height, width = size
    pixels = (points.double() + 1) / 2 * points.new_tensor([width - 1, height - 1]).double()
    is_head = [name.rpartition(".")[2] in HEAD for name in layout.points]
    body = _around(pixels, found)
    head = _around(pixels, found & torch.tensor(is_head, device=found.device))
    longer = body.longer
    side = (HEAD_SCALE * head.longer).maximum(SMALLEST_HEAD * longer)
    middle = (head.low + head.high) / 2
    face = Box(middle - side / 2, middle + side / 2)
    wide = Box(body.low - BODY_MARGIN * longer, body.high + BODY_MARGIN * longer)
    whole = Box(wide.low.fmin(face.low), wide.high.fmax(face.high))
    return {BODY_BOX: _filled(whole, size), FACE_BOX: _filled(face, size)}


class Box(NamedTuple):
    """N boxes in pixels; NaN where there is none."""

    low: Tensor
    """(N, 2): the upper left corners (x, y)."""
    high: Tensor
    """(N, 2): the lower right ones."""

    @property
    def longer(self) -> Tensor:
        """(N, 1): the longer sides."""
        return (self.high - self.low).amax(-1, keepdim=True)


def _around(pixels: Tensor, found: Tensor) -> Box:
    """Enclose the points that were found, (N, J, 2) and (N, J)."""
    there = found[..., None]
    low = pixels.masked_fill(~there, torch.inf).amin(1)
    high = pixels.masked_fill(~there, -torch.inf).amax(1)
    none = ~found.any(1, keepdim=True)
    return Box(low.masked_fill(none, torch.nan), high.masked_fill(none, torch.nan))


def _filled(box: Box, size: tuple[int, int]) -> Tensor:
    """Draw boxes: (N, 1, H, W)."""
    y, x = (torch.arange(side, device=box.low.device) for side in size)
    columns = (box.low[:, :1] <= x) & (x <= box.high[:, :1])
    rows = (box.low[:, 1:] <= y) & (y <= box.high[:, 1:])
    return (rows[:, :, None] & columns[:, None, :])[:, None].float()
