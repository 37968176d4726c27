"""A puppet in motion: for every frame of a clip the outlines to paint and the truth about them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from animate.data.synthetic.canvas import fill, fill_hard, fixed_point, to_canvas
from animate.data.synthetic.palette import INK, marker_colours
from animate.data.synthetic.shapes import ellipse

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from animate.data.synthetic.canvas import Size
    from animate.data.synthetic.pose import Pose
    from animate.data.synthetic.rig import Rig

MARKER_RADIUS = 0.041
"""Of a marker's coloured disc, in picture units: 5.2 px across at 128 x 128."""
RING_RADIUS = 0.055
"""Of the dark ring around it, which keeps the colours of the surroundings away from the disc when it is
blurred."""
_MAP_SIZE: Size = (128, 128)
"""Visibility is decided on a map of this size, so that it does not depend on the size of the picture."""
_CLEARANCE = 0.82
"""Two markers whose centres are nearer than this share of the ring's diameter: the farther one is hidden."""
_TURNED_AWAY = -0.15
_SHUT = 0.45
_DISC = ellipse((0.0, 0.0), 1.0, 1.0, corners=16)
_PROBES = np.array([[0.0, 0.0], [0.6, 0.0], [-0.6, 0.0], [0.0, 0.6], [0.0, -0.6]]) * MARKER_RADIUS


@dataclass(frozen=True)
class Figure:
    """A posed rig. T frames, B bones, J joints, N corners."""

    rig: Rig
    points: NDArray[np.float32]
    """(T, J, 2) places of the joints in [-1, 1], also of hidden ones; outside of that range beyond the
    picture."""
    maps: NDArray[np.float32]
    """(T, B, 2, 4): takes rest positions to the picture."""
    depth: NDArray[np.float64]
    """(T, layers)."""
    shown: NDArray[np.bool_]
    """(T, J): False where a joint is turned away from the viewer or shut."""
    ground: NDArray[np.float32]
    """(T, 5): centre x, y and half axes of the shadow on the ground, and its strength in [0, 1]."""

    @cached_property
    def _strokes(self) -> list[list[tuple[int, int, tuple[int, ...]]]]:
        """The pieces of each layer, as strokes."""
        layers: list[list[tuple[int, int, tuple[int, ...]]]] = [[] for _ in self.rig.layers]
        for piece in self.rig.pieces:
            layers[piece.layer].append((piece.start, piece.stop, piece.colour))
        return layers

    def corners(self, frame: int) -> NDArray[np.float32]:
        """(N, 2) corners of all pieces in a frame, in [-1, 1] and beyond."""
        num_bones = len(self.rig.bones)
        blended = (self.rig.weights @ self.maps[frame].reshape(num_bones, 8)).reshape(-1, 2, 4)
        return np.asarray(np.einsum("nij,nj->ni", blended, self.rig.corners))

    def paint(self, canvas: NDArray[np.uint8], frame: int, size: Size, *, markers: bool) -> None:
        """Paint the figure over what is on the canvas."""
        places = fixed_point(to_canvas(self.corners(frame), size))
        for layer in np.argsort(self.depth[frame], kind="stable"):
            fill(canvas, places, self._strokes[layer])
        if markers:
            places, strokes = self._pins(frame, size)
            fill(canvas, places, strokes)

    def paint_matte(self, canvas: NDArray[np.uint8], frame: int, size: Size, *, markers: bool) -> None:
        """Paint the figure's silhouette, 255 on a canvas of zeros with one channel."""
        places = fixed_point(to_canvas(self.corners(frame), size))
        # Decorations that hang over the edge belong to the figure as well, so every piece is painted.
        fill(canvas, places, [(p.start, p.stop, (255,)) for p in self.rig.pieces])
        if markers:
            places, strokes = self._pins(frame, size)
            fill(canvas, places, [(start, stop, (255,)) for start, stop, _ in strokes])

    def part_map(self, frame: int, size: Size) -> NDArray[np.uint8]:
        """(H, W) uint8: which part is seen at each pixel, counted from 1; 0 where there is none."""
        return self._label_map(frame, size, [p.part for p in self.rig.pieces], solid_only=False)

    def visible(self, frame: int) -> NDArray[np.bool_]:
        """(J,): which joints are seen.

        Hidden are joints turned away, shut (eyes), covered by a nearer layer, not wholly inside of the
        picture by the size of a marker, or so near to a nearer joint that the markers would overlap.
        """
        points, shown = self.points[frame], self.shown[frame].copy()
        shown &= np.all(np.abs(points) <= 1.0 - MARKER_RADIUS, axis=1)
        shown &= ~self._covered(frame)
        depth = self.depth[frame][[j.layer for j in self.rig.joints]]
        nearness = np.linalg.norm(points[:, None] - points[None], axis=-1) / (2.0 * RING_RADIUS)
        # Nearest first, so that a joint yields only to joints that are themselves seen.
        for rank, j in enumerate(order := np.argsort(-depth, kind="stable")):
            nearer = order[:rank]
            if np.any(shown[nearer] & (nearness[j, nearer] < _CLEARANCE)):
                shown[j] = False
        return np.asarray(shown)

    def _covered(self, frame: int) -> NDArray[np.bool_]:
        seen = self._label_map(frame, _MAP_SIZE, [p.layer + 1 for p in self.rig.pieces], solid_only=True)
        probes = self.points[frame][:, None] + _PROBES[None]
        limits = np.array([_MAP_SIZE[1] - 1, _MAP_SIZE[0] - 1])
        pixels = np.clip(np.rint((probes + 1.0) / 2.0 * limits), 0, limits).astype(np.int64)
        layers = seen[pixels[..., 1], pixels[..., 0]]
        depth = np.concatenate([[-np.inf], self.depth[frame]])
        own = self.depth[frame][[j.layer for j in self.rig.joints]]
        return np.asarray(np.sum(depth[layers] > own[:, None], axis=1) > len(_PROBES) // 2)

    def _label_map(self, frame: int, size: Size, labels: list[int], *, solid_only: bool) -> NDArray[np.uint8]:
        scale = np.array([size[1] - 1, size[0] - 1], dtype=np.float32) / 2
        places = fixed_point((self.corners(frame) + 1) * scale)
        order = np.argsort(np.argsort(self.depth[frame], kind="stable"), kind="stable")
        chosen = [
            (p, label) for p, label in zip(self.rig.pieces, labels, strict=True) if p.solid or not solid_only
        ]
        chosen.sort(key=lambda item: order[item[0].layer])
        canvas = np.zeros(size, dtype=np.uint8)
        fill_hard(canvas, places, [(p.start, p.stop, label) for p, label in chosen])
        return canvas

    def _pins(
        self, frame: int, size: Size
    ) -> tuple[NDArray[np.int32], list[tuple[int, int, tuple[int, ...]]]]:
        """Return the markers of the visible joints, nearest last: a ring and a disc each."""
        depth = self.depth[frame][[j.layer for j in self.rig.joints]]
        seen = self.visible(frame)
        joints = [int(j) for j in np.argsort(depth, kind="stable") if seen[j]]
        colours = marker_colours(len(self.rig.joints))
        discs = [self.points[frame, j] + r * _DISC for j in joints for r in (RING_RADIUS, MARKER_RADIUS)]
        paints: list[tuple[int, ...]] = [paint for j in joints for paint in (INK, colours[j])]
        n = len(_DISC)
        corners = np.concatenate(discs) if discs else np.zeros((0, 2))
        strokes = [(i * n, (i + 1) * n, paint) for i, paint in enumerate(paints)]
        return fixed_point(to_canvas(corners, size)), strokes


def posed(pose: Pose, keep: slice, ground: NDArray[np.float64], *, flip: bool) -> Figure:
    """Turn a pose into a figure: only the frames ``keep`` are kept; ``flip`` mirrors the picture.

    ``ground`` is as :attr:`Figure.ground`, for all frames of the pose, before the mirroring.
    """
    rig, maps = pose.rig, pose.maps()[keep]
    ground = ground[keep].copy()
    if flip:
        maps[:, :, 0] *= -1.0
        ground[:, 0] *= -1.0
    rest = np.array([[*j.at, 1.0] for j in rig.joints])
    facing = np.array([j.facing for j in rig.joints])
    own = maps[:, [j.bone for j in rig.joints]]
    points = np.einsum("tjik,jk->tji", own, rest)[..., :2]
    scale = pose.scale[keep][:, [j.bone for j in rig.joints], 1]
    shown = (np.einsum("tji,ji->tj", own[:, :, 2, :3], facing) >= _TURNED_AWAY) & (scale > _SHUT)
    return Figure(
        rig,
        points.astype(np.float32),
        np.ascontiguousarray(maps[:, :, :2], dtype=np.float32),
        pose.depth[keep],
        shown,
        ground.astype(np.float32),
    )
