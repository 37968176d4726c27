"""Which part of a video's pictures a data set shows; the same for all frames, as the camera stands still."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import cv2
import numpy as np

from animate.annotate.figures import to_pixels, to_unit
from animate.errors import UserError
from animate.pipelines.framing import Box
from animate.video.image import resize

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from animate.annotate.protocols import Pose
    from animate.pipelines.pose_set.recipe import Recipe

    Size = tuple[int, int]
    """(height, width)."""
    Edges = tuple[float, float, float, float]
    """Left, top, right, bottom in pixels."""

REACH = 1.0
"""Percentile of the joints' positions on each side that the person's part has to hold."""
MARGIN = 0.15
"""What is added on each side, as a share of the height: joints lie inside of a body."""
LEAST_MARGIN = 0.075
"""And at least, where the part would not fit into the picture otherwise."""


def part(recipe: Recipe, pose: Pose, picture: Size) -> Box:
    """Choose the part of a video's pictures.

    A box that has not the aspect of the training size is widened to it, about its middle; where it leaves the
    picture it is moved inside. The person's part is made smaller if it then fits into the picture, down to
    half of its margin. A part that is larger than the picture reaches over the edge, which is repeated there.

    Args:
        recipe: says how.
        pose: all poses, for the person's part.
        picture: (height, width) of the video.

    """
    if recipe.crop == "centre":
        return centre(picture, recipe.size)
    if recipe.crop == "person":
        joints = _joints(pose, picture)
        return widened(_grown(joints, MARGIN), recipe.size, picture, least=_grown(joints, LEAST_MARGIN))
    box = recipe.crop
    return widened((box.left, box.top, box.left + box.width, box.top + box.height), recipe.size, picture)


def check_part(recipe: Recipe, picture: Size) -> None:
    """Raise ``UserError`` when a given part does not fit into the video's pictures."""
    box = recipe.crop
    if isinstance(box, str):
        return
    if box.left + box.width > picture[1] or box.top + box.height > picture[0]:
        raise UserError(
            f"--crop {','.join(map(str, box))} does not fit into the video's {picture[1]}x{picture[0]} pixels"
        )


def centre(picture: Size, size: Size) -> Box:
    """Take the largest part of the aspect of ``size`` in the middle of a picture."""
    scale = min(picture[0] / size[0], picture[1] / size[1])
    height, width = max(1, round(size[0] * scale)), max(1, round(size[1] * scale))
    return Box((picture[1] - width) // 2, (picture[0] - height) // 2, width, height)


def widened(edges: Edges, size: Size, picture: Size, least: Edges | None = None) -> Box:
    """Make a part of the aspect of ``size`` that holds left, top, right, bottom.

    With ``least`` it is made smaller if it then fits into the picture and holds these edges.
    """
    scale = _scale(edges, size)
    fitting = min(picture[0] / size[0], picture[1] / size[1])
    if least is not None and _scale(least, size) <= fitting:
        scale = min(scale, fitting)
    left, top, right, bottom = edges
    sides = round(size[1] * scale), round(size[0] * scale)
    corner = []
    for low, high, side, room in ((left, right, sides[0], picture[1]), (top, bottom, sides[1], picture[0])):
        wanted = round((low + high - side) / 2)
        corner.append(int(np.clip(wanted, min(0, room - side), max(0, room - side))))
    return Box(corner[0], corner[1], *sides)


def _scale(edges: Edges, size: Size) -> float:
    return max((edges[3] - edges[1]) / size[0], (edges[2] - edges[0]) / size[1])


def _joints(pose: Pose, picture: Size) -> Edges:
    """Tell where the joints are over the video, but for the outermost: left, top, right, bottom in pixels."""
    places = to_pixels(pose.points[pose.found], picture)
    low, high = np.percentile(places, [REACH, 100.0 - REACH], axis=0).tolist()
    return low[0], low[1], high[0], high[1]


def _grown(edges: Edges, share: float) -> Edges:
    margin = share * (edges[3] - edges[1])
    return edges[0] - margin, edges[1] - margin, edges[2] + margin, edges[3] + margin


def reaches_over(box: Box, picture: Size) -> bool:
    """Tell whether a part is larger than the picture."""
    return box.width > picture[1] or box.height > picture[0]


def cut(image: NDArray[np.uint8], box: Box, size: Size) -> NDArray[np.uint8]:
    """Cut a part out of (H, W, 3) and bring it to ``size``; beyond the picture its edge is repeated."""
    height, width = image.shape[:2]
    over = max(0, -box.top), max(0, box.top + box.height - height)
    across = max(0, -box.left), max(0, box.left + box.width - width)
    if any((*over, *across)):
        image = cv2.copyMakeBorder(image, *over, *across, cv2.BORDER_REPLICATE).astype(np.uint8, copy=False)
    moved = box._replace(left=box.left + across[0], top=box.top + over[0])
    return np.ascontiguousarray(resize(moved.cut(image), size))


def placed(pose: Pose, box: Box, picture: Size, size: Size) -> Pose:
    """Express poses of whole pictures in a part of them that was brought to ``size``."""
    scale = np.array([size[1] / box.width, size[0] / box.height])
    pixels = (to_pixels(pose.points, picture) + 0.5 - [box.left, box.top]) * scale - 0.5
    return replace(pose, points=np.where(pose.found[..., None], to_unit(pixels, size), np.float32(0.0)))
