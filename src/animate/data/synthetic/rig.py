"""A figure as a paper puppet: flat pieces, painted in a rest pose, that hang on a tree of bones.

Every corner of every piece follows one bone or a mixture of bones (linear blend skinning), so posing the
whole figure is one matrix product. Corners have a depth, so that a bone can also turn its pieces to the side
(yaw) and up or down (pitch). Pieces lie in layers, painted from the farthest to the nearest; a layer's depth
may change from frame to frame.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from animate.data.synthetic.palette import Colour, line, muted, shade
from animate.data.synthetic.shapes import grown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from animate.data.synthetic.shapes import Point, Points

CONTOUR = 0.018
"""Width of the dark line around a surface; the picture is 2 wide."""
_INSET = 0.016
_LIGHT_SHIFT = (-0.010, -0.010)

Skin = str | Callable[[np.ndarray], Mapping[str, np.ndarray]]
"""The bone that corners follow, or a function from corners (N, 2) to the weight (N,) of each bone."""


@dataclass(frozen=True, slots=True)
class Bone:
    """A bone: turns about its pivot, which hangs on the parent."""

    name: str
    parent: int
    """Place of the parent, which stands before its children; -1 for the root."""
    pivot: tuple[float, float, float]
    """Where the bone turns, in the rest pose: x, y and depth towards the viewer."""
    inherits: bool
    """Whether it turns with its parent; otherwise its angle is measured against the picture."""
    spring: float
    """Frequency in Hz at which it swings by itself; 0 for a bone that is moved."""


@dataclass(frozen=True, slots=True)
class Joint:
    """A point of the figure whose place is known in every frame."""

    name: str
    bone: int
    at: tuple[float, float, float]
    layer: int
    facing: tuple[float, float, float]
    """Which way the surface there looks in the rest pose; hidden when turned away. Zeros: seen from all
    sides."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One painted polygon: corners ``start`` to ``stop`` of the rig."""

    start: int
    stop: int
    colour: Colour
    layer: int
    part: int
    """Which part of the figure it shows: a place in ``Rig.parts``, counted from 1."""
    solid: bool
    """Whether it hides what lies behind; decorations lie on something solid."""


@dataclass(frozen=True, slots=True)
class Rig:
    """A finished puppet. N corners, B bones, J joints."""

    bones: tuple[Bone, ...]
    joints: tuple[Joint, ...]
    layers: tuple[str, ...]
    parts: tuple[str, ...]
    pieces: tuple[Piece, ...]
    corners: NDArray[np.float32]
    """(N, 4): x, y, depth, 1."""
    weights: NDArray[np.float32]
    """(N, B), rows sum to 1."""

    def bone(self, name: str) -> int:
        """Return the place of the bone of this name."""
        return next(i for i, bone in enumerate(self.bones) if bone.name == name)


class RigBuilder:
    """Assembles a rig: bones first, then pieces from the farthest layer to the nearest."""

    def __init__(self) -> None:
        self._bones: list[Bone] = []
        self._joints: list[Joint] = []
        self._layers: list[str] = []
        self._parts: list[str] = []
        self._pieces: list[Piece] = []
        self._corners: list[NDArray[np.float64]] = []
        self._depths: list[float] = []
        self._skins: list[Skin] = []
        self._count = 0

    def bone(
        self,
        name: str,
        parent: str | None,
        at: Point,
        *,
        depth: float = 0.0,
        inherits: bool = True,
        spring: float = 0.0,
    ) -> str:
        """Add a bone; returns its name."""
        place = -1 if parent is None else self._index(parent)
        self._bones.append(Bone(name, place, (*at, depth), inherits, spring))
        return name

    def layer(self, name: str) -> None:
        """Begin a layer in front of all layers so far."""
        self._layers.append(name)

    def joint(
        self,
        name: str,
        bone: str,
        at: Point,
        *,
        depth: float = 0.0,
        facing: tuple[float, float, float] = (0.0, 0.0, 0.0),
        layer: str | None = None,
    ) -> None:
        """Add a joint, in the present layer unless another is named."""
        place = len(self._layers) - 1 if layer is None else self._layers.index(layer)
        self._joints.append(Joint(name, self._index(bone), (*at, depth), place, facing))

    def paint(
        self,
        points: Points,
        colour: Colour,
        skin: Skin,
        part: str,
        *,
        depth: float = 0.0,
        solid: bool = False,
    ) -> None:
        """Add one flat polygon in front of everything in the present layer."""
        if part not in self._parts:
            self._parts.append(part)
        stop = self._count + len(points)
        layer, place = len(self._layers) - 1, self._parts.index(part) + 1
        self._pieces.append(Piece(self._count, stop, muted(colour), layer, place, solid))
        self._corners.append(points)
        self._depths.append(depth)
        self._skins.append(skin)
        self._count = stop

    def model(
        self, shapes: Sequence[tuple[Points, Colour, Skin, str]], *, depth: float = 0.0, lit: bool = True
    ) -> None:
        """Add surfaces with one contour around all of them, and with light from the upper left."""
        for points, colour, skin, part in shapes:
            self.paint(grown(points, CONTOUR), line(colour), skin, part, depth=depth, solid=True)
        for points, colour, skin, part in shapes:
            self.paint(points, shade(colour) if lit else colour, skin, part, depth=depth)
        for points, colour, skin, part in shapes if lit else ():
            self.paint(grown(points, -_INSET) + _LIGHT_SHIFT, colour, skin, part, depth=depth)

    def build_with(self, order: Sequence[str]) -> Rig:
        """Finish; the joints come in this order."""
        self._joints.sort(key=lambda joint: order.index(joint.name))
        rest = np.ones((self._count, 4), dtype=np.float32)
        rest[:, :2] = np.concatenate(self._corners)
        rest[:, 2] = np.repeat(self._depths, [len(points) for points in self._corners])
        return Rig(
            tuple(self._bones),
            tuple(self._joints),
            tuple(self._layers),
            tuple(self._parts),
            tuple(self._pieces),
            rest,
            self._weights(),
        )

    def _index(self, name: str) -> int:
        return next(i for i, bone in enumerate(self._bones) if bone.name == name)

    def _weights(self) -> NDArray[np.float32]:
        weights = np.zeros((self._count, len(self._bones)), dtype=np.float32)
        places = {bone.name: i for i, bone in enumerate(self._bones)}
        for piece, points, skin in zip(self._pieces, self._corners, self._skins, strict=True):
            shares = {skin: 1.0} if isinstance(skin, str) else skin(points)
            for name, share in shares.items():
                weights[piece.start : piece.stop, places[name]] = share
        return weights


def between(a: str, b: str, axis: int, start: float, stop: float) -> Skin:
    """Return a skin that goes over from bone ``a`` to bone ``b`` along x (axis 0) or y (axis 1)."""

    def skin(points: Points) -> Mapping[str, NDArray[np.float64]]:
        share = np.clip((points[:, axis] - start) / (stop - start), 0.0, 1.0)
        share = share * share * (3.0 - 2.0 * share)
        return {a: 1.0 - share, b: share}

    return skin
