"""The contact sheet of a check: what the poses look like on the frames, and what is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from animate.annotate.protocols import Pose
from animate.annotate.sheet import CELL, bordered, fitting
from animate.annotate.translate import translate
from animate.errors import UserError
from animate.layouts import COCO18, layout_named
from animate.ops.skeleton import rendered
from animate.pipelines.pose_set.coverage import Shapes, most_different
from animate.pipelines.pose_set.reading import frame
from animate.video.grid import tile
from animate.video.image import resize

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from animate.pipelines.pose_set.check import Report
    from animate.pipelines.pose_set.recipe import PoseSet

    Picture = NDArray[np.uint8]

COLUMNS = 8
_LINE = 2.0  # pixels


def check_sheet(made: PoseSet, report: Report, source: PoseSet | None = None) -> Picture:
    """Draw evenly spaced frames with their poses, the least sharp ones, and poses of the source that are new.

    A frame that was skipped has a red border.
    """
    pose = made.poses()
    evenly = np.unique(np.linspace(0, len(made.numbers) - 1, 2 * COLUMNS).round().astype(int)).tolist()
    rows = [
        [_drawn(made, pose, n) for n in evenly[at : at + COLUMNS]] for at in range(0, len(evenly), COLUMNS)
    ]
    rows.append([_drawn(made, pose, n) for n in report.least_sharp[:COLUMNS]])
    if source is not None and report.uncovered:
        theirs = source.poses()
        rows.append([_drawn(source, theirs, n) for n in _various(source, theirs, report.uncovered)])
    return tile([row for row in rows if row], cell=CELL)


def _various(source: PoseSet, pose: Pose, numbers: list[int]) -> list[int]:
    """Choose a row of frames whose poses differ most; neighbours in time would all show the same one."""
    some = Pose(pose.layout, pose.points[numbers], pose.found[numbers], pose.score[numbers])
    shapes = Shapes(some, source.aspect, 1.0, most=len(numbers))  # the height does not change the choice
    return [numbers[shapes.numbers[n]] for n in most_different(shapes, COLUMNS)]


def _drawn(made: PoseSet, pose: Pose, number: int) -> Picture:
    """Show a frame of a cell's size with its pose."""
    try:
        image = frame(made, number)
    except UserError:  # it was skipped in the held-out part, so it is nowhere
        return bordered(np.full((*fitting(made.size), 3), 200, np.uint8))
    small = resize(image, fitting(made.size))
    drawn = overlay(small, pose, number)
    return bordered(drawn) if number in made.skipped else drawn


def overlay(image: Picture, pose: Pose, number: int) -> Picture:
    """Draw the pose of a frame over its picture."""
    layout = layout_named(pose.layout)
    if layout.detail:
        pose, layout = translate(pose, COCO18), COCO18
    points, found = (torch.from_numpy(values[number][None]) for values in (pose.points, pose.found))
    size = (image.shape[0], image.shape[1])
    skeleton = rendered(points, found, layout, size, width=_LINE)[0].movedim(0, -1).numpy()
    blank = (skeleton >= 1.0).all(axis=-1, keepdims=True)
    return np.where(blank, image, np.rint(skeleton * 255.0)).astype(np.uint8)
