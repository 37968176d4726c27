"""Makes a learned person take poses: a generator of frames."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from animate.annotate.translate import translate
from animate.errors import UserError
from animate.layouts import layout_named, translation
from animate.ops.skeleton import coloured
from animate.pipelines.drive import BATCH_SIZE, CPU_PIXELS, to_pictures
from animate.pipelines.usable import FEWEST

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from torch import Tensor

    from animate.annotate.protocols import Pose
    from animate.networks.pix2pixhd import Pix2PixHD

    Size = tuple[int, int]
    """(height, width)."""


class Made(NamedTuple):
    """One frame."""

    label: NDArray[np.uint8]
    """(H, W, 3): what the network was shown, in colours."""
    picture: NDArray[np.uint8]
    """(H, W, 3)."""


class Plan(NamedTuple):
    """Which pose each of N frames shows."""

    shown: NDArray[np.int64]
    """(N,) the number of the frame whose pose it is."""
    held: NDArray[np.bool_]
    """(N,) whether it is an earlier one, for no longer than was allowed."""
    marked: NDArray[np.bool_]
    """(N,) whether there is none to show: an older one, or the first of all, stands in its place."""


def plan(good: NDArray[np.bool_], hold: int) -> Plan:
    """Hold the last good pose over bad ones, for up to ``hold`` frames in a row.

    Args:
        good: (N,) which poses can be drawn; at least one.
        hold: for so many frames a pose may stand for those that follow it.

    """
    numbers = np.arange(len(good))
    last = np.maximum.accumulate(np.where(good, numbers, -1))
    shown = np.where(last < 0, int(np.argmax(good)), last)
    held = ~good & (last >= 0) & (numbers - last <= hold)
    return Plan(shown, held, ~good & ~held)


def check(networks: Pix2PixHD, size: Size) -> None:
    """Refuse networks that poses alone do not feed, and sizes that they do not take.

    Raises:
        UserError: says which.

    """
    if networks.layout is None:
        raise UserError("this model's labels are no skeletons, so there is nothing to transfer to it")
    if networks.arguments["edges"] or networks.arguments["features"]:
        raise UserError("this model needs maps of instances, which poses do not give")
    multiple, smallest = networks.generator.multiple, networks.generator.smallest
    if any(side % multiple or side < smallest for side in size):
        raise UserError(
            f"{size[0]}x{size[1]} (height x width): this model needs multiples of {multiple}, at least"
            f" {smallest}; give another --size"
        )


def in_layout_of(networks: Pix2PixHD, pose: Pose) -> Pose:
    """Express poses in the points that a model was trained on.

    Raises:
        UserError: hardly any of its points has a counterpart.

    """
    assert networks.layout is not None
    shared = sum(map(bool, translation(layout_named(pose.layout), networks.layout)))
    if shared < FEWEST:
        raise UserError(
            f"the poses are {pose.layout}, and the model was trained on {networks.layout.name}: {shared}"
            " points correspond; find the poses by a back-end like the one that the model was trained with"
        )
    return translate(pose, networks.layout)


def suitable_batch_size(networks: Pix2PixHD, size: Size) -> int:
    """Choose the frames per forward pass: 8 on a GPU; on a CPU up to ``CPU_PIXELS`` pixels, at most 8."""
    if next(networks.parameters()).device.type != "cpu":
        return BATCH_SIZE
    return min(BATCH_SIZE, max(1, CPU_PIXELS // (size[0] * size[1])))


@torch.inference_mode()
def transfer(networks: Pix2PixHD, pose: Pose, size: Size, *, batch_size: int = BATCH_SIZE) -> Iterator[Made]:
    """Yield the person in each pose, in order.

    Where the networks look at the previous frame, each frame is made from the one before it, at first from
    none; else ``batch_size`` frames are made at once. No more than that is held at a time. The result depends
    on the batch size by rounding only.

    Args:
        networks: in evaluation mode, on the device that the work is to be done on.
        pose: N poses in the networks' layout, at least one of whose limbs is to be seen in each.
        size: of the pictures.
        batch_size: frames per forward pass.

    Raises:
        UserError: the networks or the size do not suit (``check``).

    """
    if networks.training:
        raise ValueError("call networks.eval() first: in training mode a frame would depend on its batch")
    check(networks, size)
    device = next(networks.parameters()).device
    last: Tensor | None = None
    for start in range(0, len(pose.points), batch_size):
        where = slice(start, start + batch_size)
        points = torch.from_numpy(pose.points[where]).to(device)
        found = torch.from_numpy(pose.found[where]).to(device)
        label = networks.draw(points, found, size)
        condition = networks.condition(label)
        made = _generated(networks, condition, last)
        last = made[-1:]
        pictures = networks.retouch(made, condition, points, found)
        yield from map(Made, to_pictures(_shown(networks, label)), to_pictures(pictures))


def _generated(networks: Pix2PixHD, condition: Tensor, last: Tensor | None) -> Tensor:
    """Make (B, 3, H, W) from (B, C, H, W), each from the one before where the networks look at it."""
    if not networks.arguments["previous"]:
        made: Tensor = networks.generator(networks.join(condition))
        return made
    frames = []
    for one in condition:
        last = networks.generator(networks.join(one[None], previous=last))
        frames.append(last)
    return torch.cat(frames)


def _shown(networks: Pix2PixHD, label: Tensor) -> Tensor:
    """Make labels fit to be looked at: (B, 3, H, W) in [0, 1]."""
    indexed = networks.arguments["indexed"]
    return coloured(label[:, 0], int(networks.arguments["labels"])) if indexed else label
