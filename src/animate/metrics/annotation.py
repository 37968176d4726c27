"""What back-ends find in pictures, as tensors beside the pictures.

The back-ends are handed in; the Protocols here say what metrics ask of them, in plain arrays, so that this
folder depends on none of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from animate.metrics.boxes import BOXES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Frames = NDArray[np.uint8]
"""(N, H, W, 3) RGB."""


class Named(Protocol):
    """What all back-ends state about themselves."""

    @property
    def name(self) -> str:
        """Like ``dlib``."""

    @property
    def version(self) -> str:
        """Of the library and the weights."""


class FoundPoints(Protocol):
    """Points of one figure in each of N frames."""

    @property
    def points(self) -> NDArray[np.float32]:
        """(N, J, 2) in [-1, 1]."""

    @property
    def found(self) -> NDArray[np.bool_]:
        """(N, J)."""


class FoundIdentity(Protocol):
    """An embedding of the main figure in each of N frames."""

    @property
    def embedding(self) -> NDArray[np.float32]:
        """(N, D)."""

    @property
    def found(self) -> NDArray[np.bool_]:
        """(N,)."""


class PointFinder(Named, Protocol):
    """Finds the points of the main figure."""

    @property
    def layout(self) -> str:
        """Like ``face68``."""

    def __call__(self, frames: Frames) -> FoundPoints:
        """Find them in each frame."""


class Recogniser(Named, Protocol):
    """Says who the main figure is."""

    @property
    def threshold(self) -> float:
        """Embeddings closer than this (Euclidean) are taken for the same person."""

    def __call__(self, frames: Frames) -> FoundIdentity:
        """Embed the main figure of each frame."""


class Matter(Named, Protocol):
    """Cuts the main figure out."""

    def __call__(self, frames: Frames) -> NDArray[np.float32]:
        """(N, H, W) in [0, 1], 1 on the figure."""


class BoxFinder(Named, Protocol):
    """Finds faces."""

    def __call__(self, frames: Frames) -> Sequence[Sequence[Sequence[float]]]:
        """List the boxes of each frame, the surest first: left, top, right, bottom in [-1, 1], and more."""


def described(backend: Named, *more: str) -> str:
    """Name a back-end for :class:`animate.metrics.base.Definition`: ``name version more``."""
    return " ".join((backend.name, backend.version, *more))


@dataclass(frozen=True, slots=True)
class Annotators:
    """The back-ends at hand.

    Attributes:
        points: by the name of the set, like ``landmarks``, ``pose`` and ``puppet``.
        identity: who somebody is.
        person: mattes for metrics inside and outside of the ``person``.
        face: boxes for those inside and outside of the ``face``: the surest box's rectangle.

    """

    points: Mapping[str, PointFinder] = field(default_factory=dict)
    identity: Recogniser | None = None
    person: Matter | None = None
    face: BoxFinder | None = None

    @property
    def body(self) -> str:
        """The set of points that boxes around a body are made from: ``pose``, else ``puppet``, else empty."""
        return next((name for name in ("pose", "puppet") if name in self.points), "")

    @property
    def offered(self) -> frozenset[str]:
        """What they can meet of :attr:`animate.metrics.base.VideoMetric.needs`."""
        others: dict[str, object] = {
            "identity": self.identity,
            "mask:person": self.person,
            "mask:face": self.face,
        }
        others |= {f"mask:{box}": self.body for box in BOXES}
        return frozenset(
            [f"points:{name}" for name in self.points] + [need for need, there in others.items() if there]
        )

    def find(self, need: str, pictures: Tensor) -> dict[str, Tensor]:
        """Look for points or identities in (N, 3, H, W).

        Returns:
            ``value`` and ``found`` of :class:`animate.types.Points` or :class:`animate.types.Embeddings`, on
            the device of the pictures.

        """
        frames = eight_bits(pictures)
        if need == "identity":
            assert self.identity is not None
            who = self.identity(frames)
            value, found = who.embedding, who.found
        else:
            pose = self.points[need.removeprefix("points:")](frames)
            value, found = pose.points, pose.found
        device = pictures.device
        return {
            "value": torch.as_tensor(value, device=device),
            "found": torch.as_tensor(found, device=device),
        }

    def mask(self, region: str, pictures: Tensor) -> Tensor:
        """Cut ``person`` or ``face`` out of (N, 3, H, W): (N, 1, H, W) in [0, 1], 0 where there is none."""
        frames = eight_bits(pictures)
        if region == "person":
            assert self.person is not None
            cut = self.person(frames)
        else:
            assert self.face is not None
            cut = rectangles(self.face(frames), (frames.shape[1], frames.shape[2]))
        return torch.as_tensor(cut, device=pictures.device)[:, None]


def eight_bits(pictures: Tensor) -> Frames:
    """Turn (N, 3, H, W) in [0, 1] into what back-ends read."""
    rounded = pictures.detach().float().mul(255).round_().clamp_(0, 255).byte()
    frames: Frames = np.ascontiguousarray(rounded.permute(0, 2, 3, 1).cpu().numpy())
    return frames


def rectangles(boxes: Sequence[Sequence[Sequence[float]]], size: tuple[int, int]) -> NDArray[np.float32]:
    """Draw the first box of each frame: (N, height, width), 1 on pixels whose centres lie in it."""
    y, x = (np.linspace(-1, 1, side) for side in size)
    masks = np.zeros((len(boxes), *size), np.float32)
    for mask, found in zip(masks, boxes, strict=True):
        for left, top, right, bottom, *_ in found[:1]:
            mask[np.ix_((top <= y) & (y <= bottom), (left <= x) & (x <= right))] = 1
    return masks
