"""What back-ends do. Each takes frames and says what it found; none of them knows where frames come from.

A back-end is named and versioned: both go into the sidecar and into every result that rests on it. Its
libraries are imported, and its weights are opened, when it is made.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    Frames = NDArray[np.uint8]
    """(N, H, W, 3) RGB."""


class Box(NamedTuple):
    """A rectangle in the project's coordinates: x and y in [-1, 1], corner pixels' centres at -1 and 1."""

    left: float
    top: float
    right: float
    bottom: float
    score: float = 1.0
    """How sure the back-end is, in [0, 1]."""


@dataclass(frozen=True, slots=True)
class Pose:
    """Points of one figure in N frames, in the order of a named layout (``animate.layouts``)."""

    layout: str
    """Like ``face68``, ``coco17``, ``body25`` or ``puppet_person``."""
    points: NDArray[np.float32]
    """(N, J, 2), (x, y) in [-1, 1]; (0, 0) where not found. May lie outside of [-1, 1]."""
    found: NDArray[np.bool_]
    """(N, J)."""
    score: NDArray[np.float32]
    """(N, J) in [0, 1]; 0 where not found."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the main figure of each of N frames is."""

    embedding: NDArray[np.float32]
    """(N, D); zeros where not found."""
    found: NDArray[np.bool_]
    """(N,)."""


class Backend(Protocol):
    """What all back-ends state about themselves."""

    @property
    def name(self) -> str:
        """Like ``dlib``."""

    @property
    def version(self) -> str:
        """Of the library and the weights; a new version makes old sidecars stale."""


class BoxFinder(Backend, Protocol):
    """Finds faces, or persons."""

    def __call__(self, frames: Frames) -> list[list[Box]]:
        """List the boxes of each frame, the surest first."""


class PointFinder(Backend, Protocol):
    """Finds the points of the main figure: face landmarks, body joints, a puppet's joints."""

    @property
    def layout(self) -> str:
        """The layout of the points."""

    def __call__(self, frames: Frames) -> Pose:
        """Find them in each frame; what is not found is marked so."""


class Recogniser(Backend, Protocol):
    """Says who the main figure is."""

    @property
    def threshold(self) -> float:
        """Embeddings closer than this (Euclidean) are taken for the same person."""

    def __call__(self, frames: Frames) -> Identity:
        """Embed the main figure of each frame."""


class Matter(Backend, Protocol):
    """Cuts the main figure out."""

    def __call__(self, frames: Frames) -> NDArray[np.float32]:
        """(N, H, W) in [0, 1], 1 on the figure."""


@runtime_checkable
class PersonMatter(Matter, Protocol):
    """A matter that tells persons apart, so that it can be told whom to cut out."""

    def around(self, frames: Frames, boxes: Sequence[Box | None]) -> NDArray[np.float32]:
        """(N, H, W) in [0, 1] of the figure at each frame's box; zeros where there is none, or no box."""
