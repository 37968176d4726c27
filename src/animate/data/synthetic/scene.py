"""A scene behind the figure: a backdrop with a gradient, and flat shapes at several distances before it.

The camera of a moving scene drifts slowly, so near shapes move more than far ones; some shapes drift by
themselves (clouds, bubbles). A still scene is painted once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from animate.data.synthetic.canvas import OVERSAMPLING, blank, fill, fixed_point, to_canvas
from animate.data.synthetic.palette import Colour, muted

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from animate.data.synthetic.canvas import Size
    from animate.data.synthetic.shapes import Points

MARGIN = 0.35
"""How far scenes reach beyond the picture's edges, in picture units: room for the camera to drift."""


@dataclass(frozen=True)
class Scene:
    """A painted place. S shapes with N corners in all."""

    top: Colour
    bottom: Colour
    """The backdrop goes from ``top`` to ``bottom``."""
    strokes: tuple[tuple[int, int, Colour], ...]
    corners: NDArray[np.float32]
    """(N, 2) in picture units."""
    nearness: NDArray[np.float32]
    """(N, 1): by which share of the camera's motion a corner moves."""
    drift: NDArray[np.float32]
    """(N, 2): own amplitude of a corner in a moving scene."""
    grain: NDArray[np.float32]
    """(g, g) numbers around 1: brightness of the light and the paper, in still and moving scenes alike."""
    camera: NDArray[np.float32] | None
    """(T, 2) position of the camera in every frame; None in a still scene."""
    sway: NDArray[np.float32] | None
    """(T, 2) curves that ``drift`` scales; None in a still scene."""

    @property
    def still(self) -> bool:
        """Whether all frames are the same."""
        return self.camera is None

    def paint(self, size: Size, frame: int) -> NDArray[np.uint8]:
        """Draw the scene on a canvas for a picture of ``size``."""
        canvas = blank(size)
        ramp = np.linspace(0.0, 1.0, canvas.shape[0], dtype=np.float32)[:, None]
        colours = np.asarray(self.top, np.float32) * (1 - ramp) + np.asarray(self.bottom, np.float32) * ramp
        canvas[:] = np.rint(colours)[:, None].astype(np.uint8)
        corners = self.corners
        if self.camera is not None and self.sway is not None:
            corners = corners - self.nearness * self.camera[frame] + self.drift * self.sway[frame]
        fill(canvas, fixed_point(to_canvas(corners, size)), self.strokes)
        return _lit(canvas, self.grain)


def _lit(canvas: NDArray[np.uint8], grain: NDArray[np.float32]) -> NDArray[np.uint8]:
    height, width = canvas.shape[:2]
    light = cv2.resize(grain, (width, height), interpolation=cv2.INTER_CUBIC)
    scaled = np.clip(light * 128.0, 0, 255).astype(np.uint8)
    return np.asarray(cv2.multiply(canvas, cv2.merge([scaled] * 3), scale=1.0 / 128.0))


def cast_shadow(canvas: NDArray[np.uint8], spot: NDArray[np.float32], size: Size) -> None:
    """Darken a soft ellipse; ``spot`` is centre x, y, half axes and strength as in ``Figure.ground``."""
    (x, y), strength = to_canvas(spot[:2], size), float(spot[4])
    rx, ry = spot[2:4] * (np.array([size[1], size[0]]) / 2 * OVERSAMPLING)
    if strength <= 0.0 or min(rx, ry) <= 0.0:
        return
    x0, x1 = (int(np.clip(v, 0, canvas.shape[1])) for v in (x - 2 * rx, x + 2 * rx + 1))
    y0, y1 = (int(np.clip(v, 0, canvas.shape[0])) for v in (y - 2 * ry, y + 2 * ry + 1))
    if x0 >= x1 or y0 >= y1:
        return
    across = ((np.arange(x0, x1, dtype=np.float32) - x) / rx) ** 2
    down = ((np.arange(y0, y1, dtype=np.float32) - y) / ry) ** 2
    light = 1.0 - strength * np.exp(-((across[None] + down[:, None]) ** 1.5))
    patch = canvas[y0:y1, x0:x1]
    patch[:] = np.rint(patch * light[:, :, None]).astype(np.uint8)


class SceneBuilder:
    """Collects the shapes of a scene from the farthest to the nearest."""

    def __init__(self, top: Colour, bottom: Colour) -> None:
        self.top, self.bottom = muted(top), muted(bottom)
        self._strokes: list[tuple[int, int, Colour]] = []
        self._corners: list[NDArray[np.float64]] = []
        self._motion: list[tuple[float, float, float]] = []
        self._count = 0

    def add(
        self, points: Points, colour: Colour, nearness: float, drift: tuple[float, float] = (0.0, 0.0)
    ) -> None:
        """Add a shape in front of all shapes so far."""
        stop = self._count + len(points)
        self._strokes.append((self._count, stop, muted(colour)))
        self._corners.append(points)
        self._motion.append((nearness, *drift))
        self._count = stop

    def build(
        self,
        grain: NDArray[np.float32],
        camera: NDArray[np.float64] | None,
        sway: NDArray[np.float64] | None,
    ) -> Scene:
        """Finish."""
        motion = np.repeat(self._motion, [len(points) for points in self._corners], axis=0).astype(np.float32)
        return Scene(
            self.top,
            self.bottom,
            tuple(self._strokes),
            np.concatenate(self._corners).astype(np.float32),
            motion[:, :1],
            motion[:, 1:],
            grain,
            None if camera is None else camera.astype(np.float32),
            None if sway is None else sway.astype(np.float32),
        )
