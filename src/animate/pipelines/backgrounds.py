"""Ways to a clean background of a video whose person is known: what a comparison of them has for rows."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple, Protocol

import torch

from animate.errors import UserError
from animate.ops.classical_fills import fill_each
from animate.ops.person_masks import VARIANTS, crop_square, own
from animate.pipelines.inpaint import Holed, NetworkFiller
from animate.pipelines.plate import PlateSettings, make_plate

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from animate.networks.inpainting import BackgroundInpainter
    from animate.ops.person_masks import Masks

    Picture = NDArray[np.uint8]

PLATE = "plate_from_video"


class Footage(NamedTuple):
    """A scene with somebody in it; T frames, pictures in [0, 1]."""

    clean: Tensor
    """(T, 3, H, W): the scene alone, which only a known hole lets see, and only around it."""
    shown: Tensor
    """(T, 3, H, W): with the person."""
    matte: Tensor
    """(T, 1, H, W): the person's true matte."""
    hole: Tensor
    """(T, 1, H, W), 0 or 1: the person's silhouette."""
    found: Tensor | None
    """(T, 1, H, W): the matte that a back-end finds in what is shown; None without a back-end."""


class Background(NamedTuple):
    """What a way makes of footage."""

    pictures: Tensor
    """(T, 3, H, W)."""
    hole: Tensor
    """(T, 1, H, W): what was taken for the person, and filled."""
    person: Tensor | None = None
    """(T, 1, H, W): what is kept as the person; None where the true matte is."""
    crop: Tensor | None = None
    """(T, 3) int64: left, top and side of the square that is cropped to; None where nothing is."""


class Way(Protocol):
    """From footage to the background behind its person."""

    def __call__(self, footage: Footage) -> Background:
        """Make it."""


@dataclass(frozen=True, slots=True)
class ByNetwork:
    """A network fills the known silhouette in every frame."""

    networks: BackgroundInpainter

    def __call__(self, footage: Footage) -> Background:
        """See :class:`Way`."""
        return Background(NetworkFiller(self.networks)(footage.clean, footage.hole), footage.hole)


@dataclass(frozen=True, slots=True)
class ByRule:
    """A classical method (``ops.classical_fills``) fills the known silhouette in every frame."""

    fill: Callable[[Picture, Picture], Picture]

    def __call__(self, footage: Footage) -> Background:
        """See :class:`Way`."""
        return Background(fill_each(self.fill, footage.clean, footage.hole), footage.hole)


class FilledOnce:
    """A network fills a frame with a hole once: variants often cut the same hole of it.

    Args:
        networks: in evaluation mode.

    """

    def __init__(self, networks: BackgroundInpainter) -> None:
        self._fill = NetworkFiller(networks)
        self._frames: Tensor | None = None
        self._made: dict[tuple[int, bytes], Tensor] = {}

    def __call__(self, frames: Tensor, holes: Tensor) -> Tensor:
        """See ``inpaint.Filler``; what was made of other frames is forgotten."""
        if frames is not self._frames:
            self._frames, self._made = frames, {}
        keys = [(number, hole.numpy().tobytes()) for number, hole in enumerate(holes)]
        if new := [number for number, key in enumerate(keys) if key not in self._made]:
            made = self._fill(frames[new], holes[new])
            self._made |= {keys[number]: one for number, one in zip(new, made, strict=True)}
        return torch.stack([self._made[key] for key in keys])


@dataclass(frozen=True, slots=True)
class ByMatte:
    """A network fills the hole that a variant makes of the matte found: the person is not known.

    Args:
        fill: the network.
        variant: of ``ops.person_masks.VARIANTS``.
        crop: what the variant crops the picture to, as ``ops.person_masks.crop_square``; None: nothing.

    """

    fill: FilledOnce
    variant: Callable[[Tensor], Masks]
    crop: Callable[[Tensor], Tensor] | None = None

    def __call__(self, footage: Footage) -> Background:
        """See :class:`Way`; the footage has mattes that were found."""
        assert footage.found is not None
        masks = self.variant(footage.found)
        made = self.fill(footage.shown, masks.hole_mask)
        crop = None if self.crop is None else self.crop(footage.found)
        return Background(made, masks.hole_mask, masks.person_mask, crop)


@dataclass(frozen=True, slots=True)
class FromVideo:
    """One plate of all frames laid under the middle one; a network fills what no frame shows."""

    networks: BackgroundInpainter

    def __call__(self, footage: Footage) -> Background:
        """See :class:`Way`."""
        holes = own(footage.matte).hole_mask
        frames = [
            Holed(image, hole, Fraction(0))
            for image, hole in zip(_bytes(footage.shown), holes[:, 0].numpy(), strict=True)
        ]
        plate = make_plate(frames, PlateSettings(), frames[len(frames) // 2])
        picture = _tensor(plate.picture[None])
        if plate.unseen.any():
            unseen = torch.from_numpy(plate.unseen)[None, None].float()
            picture = NetworkFiller(self.networks)(picture, unseen)
        around = footage.shown * (1 - holes) + picture * holes
        return Background(around, holes)


def ways(
    networks: Mapping[str, BackgroundInpainter],
    fills: Mapping[str, Callable[[Picture, Picture], Picture]],
    *,
    video: bool,
    mattes: bool,
) -> dict[str, Way]:
    """List rows by their names: networks, classical fills, a plate, variants of mattes.

    Args:
        networks: in evaluation mode; the last also serves the plate and the variants.
        fills: as ``ops.classical_fills.CLASSICAL``.
        video: whether there are several frames to make a plate of.
        mattes: whether footage has mattes that were found.

    Raises:
        UserError: a network is called as another row.

    """
    last = list(networks.values())[-1]
    rows: dict[str, Way] = {name: ByRule(fill) for name, fill in fills.items()}
    if video:
        rows[PLATE] = FromVideo(last)
    if mattes:
        fill, crops = FilledOnce(last), {"v3": crop_square}
        rows |= {f"matte_{name}": ByMatte(fill, make, crops.get(name)) for name, make in VARIANTS.items()}
    if taken := sorted(networks.keys() & rows.keys()):
        raise UserError(f"{taken[0]}: a checkpoint and another row have this name; rename the file")
    return {name: ByNetwork(one) for name, one in networks.items()} | rows


def _bytes(pictures: Tensor) -> Picture:
    found: Picture = pictures.movedim(1, -1).mul(255).round().byte().numpy()
    return found


def _tensor(pictures: Picture) -> Tensor:
    return torch.from_numpy(pictures).movedim(-1, 1).float().div(255)
