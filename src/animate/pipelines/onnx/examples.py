"""What exported networks are checked, calibrated and measured on."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from animate.errors import UserError
from animate.pipelines.drive import to_tensor
from animate.pipelines.framing import to_model
from animate.pipelines.posed import Person
from animate.pipelines.transfer import check, in_layout_of
from animate.pipelines.usable import usable
from animate.video.decode import pictures_in, stream
from animate.video.image import read_image

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from animate.networks.fomm import FirstOrderModel
    from animate.networks.pix2pixhd import Pix2PixHD

DRAWN, TAKEN = 8, 32
"""Examples without files, and at most out of files; one half calibrates, the other measures."""
FEWEST = 6
LOOKED_AT = 600
"""Frames at the beginning of a video that examples are taken from."""
_COARSE = 6
_SEED = 0


class Examples(NamedTuple):
    """Inputs of a model, in two halves."""

    first: Tensor
    """(N, ...), at least 3: graphs are traced, checked and calibrated with these."""
    second: Tensor
    """(M, ...): pictures are compared on these."""
    called: str

    @classmethod
    def halves(cls, whole: Tensor, called: str) -> Examples:
        """Split examples, every second one to either half."""
        return cls(whole[::2], whole[1::2], called)


def pictures(networks: FirstOrderModel, files: Path | None) -> Examples:
    """Cut frames of a video, or a folder's pictures of any sizes, to the model's square; or draw patterns.

    Raises:
        UserError: there are too few.

    """
    size = int(networks.arguments["image_size"])
    if files is None:
        random = torch.Generator().manual_seed(_SEED)
        coarse = torch.rand(DRAWN, 3, _COARSE, _COARSE, generator=random)
        drawn = F.interpolate(coarse, (size, size), mode="bicubic", align_corners=False).clamp(0, 1)
        return Examples.halves(drawn, "drawn patterns")
    # Cut as they come: so many whole frames of a film would fill the memory.
    squares = [to_model(image, size) for image in islice(_images(files), LOOKED_AT)]
    if len(squares) < FEWEST:
        raise UserError(
            f"{files}: calibration needs at least {FEWEST} pictures and finds {len(squares)}; name a longer"
            " video or a folder of more pictures"
        )
    return Examples.halves(to_tensor(networks, [squares[i] for i in _spread(len(squares))]), files.name)


def _images(files: Path) -> Iterator[NDArray[np.uint8]]:
    if files.is_dir():  # one by one, since they need not be of one size as those of a clip
        return map(read_image, pictures_in(files))
    return (frame.image for frame in stream(files))


def conditions(networks: Pix2PixHD, files: Path | None) -> Examples:
    """Draw the labels of a model: from poses of a prepared data set or an annotated clip, or from chance.

    Raises:
        UserError: there are no such poses, or too few, or the model's labels are no skeletons.

    """
    if files is None:
        return Examples.halves(networks.condition(*_by_chance(networks)), "poses by chance")
    person = Person.open(files)
    check(networks, person.size)
    pose = in_layout_of(networks, person.pose)
    good = np.flatnonzero(usable(pose))
    if len(good) < FEWEST:
        raise UserError(
            f"{files}: calibration needs at least {FEWEST} usable poses and finds {len(good)}; name a longer"
            " clip or a larger data set"
        )
    chosen = good[_spread(len(good))]
    points, found = (torch.from_numpy(array[chosen]) for array in (pose.points, pose.found))
    label = networks.draw(points, found, person.size)
    return Examples.halves(networks.condition(label), files.name)


def _spread(count: int) -> list[int]:
    """Number up to ``TAKEN`` of ``count`` things, evenly."""
    return [round(place) for place in np.linspace(0, count - 1, min(count, TAKEN))]


def _by_chance(networks: Pix2PixHD) -> tuple[Tensor, Tensor]:
    """Draw labels and instances that the networks take; not square, as pictures seldom are."""
    random = torch.Generator().manual_seed(_SEED)
    multiple = max(networks.generator.multiple, networks.face.multiple if networks.face else 1)
    side = -(-max(networks.generator.smallest, 64) // multiple) * multiple
    size = (max(side, 2 * multiple), max(side, 2 * multiple) + multiple)
    instance = torch.randint(0, 4, (DRAWN, 1, *size), generator=random)
    if networks.layout is not None:
        points = torch.rand(DRAWN, len(networks.layout.points), 2, generator=random) * 1.6 - 0.8
        return networks.draw(points, torch.ones(points.shape[:2], dtype=torch.bool), size), instance
    labels = int(networks.arguments["labels"])
    if networks.arguments["indexed"]:
        return torch.randint(0, labels, (DRAWN, 1, *size), generator=random), instance
    return torch.rand(DRAWN, labels, *size, generator=random), instance
