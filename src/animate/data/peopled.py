"""Scenes with people put into them: what stands behind them is known, which no photograph tells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from animate.data.clips import open_clip
from animate.data.index import SPLITS
from animate.ops.random import mix, numpy_generator

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from animate.data.holes import Figure, Hole, Holes
    from animate.data.index import Clip, Split

_SPLIT: Split = "test"


class Peopled(NamedTuple):
    """A scene over T frames, and somebody in front of it."""

    name: str
    clean: NDArray[np.uint8]
    """(T, H, W, 3): the scene alone."""
    shown: NDArray[np.uint8]
    """(T, H, W, 3): with the person."""
    matte: NDArray[np.float32]
    """(T, H, W) in [0, 1]: how much of a pixel is the person."""
    hole: NDArray[np.float32]
    """(T, H, W), 0 or 1: the person's silhouette."""


@dataclass(frozen=True)
class PeopledScenes:
    """Test scenes with the test's people in them, always the same ones: an evaluation's.

    The holes are those of :class:`animate.data.inpainting.HoledScenes` where a scene has as many frames. One
    with fewer, such as a picture, stands still while the person moves.

    Args:
        scenes: what is seen behind.
        holes: with silhouettes (``hole_shapes.Silhouettes``).
        frames: T.
        size: (H, W).
        seed: of the holes.

    """

    scenes: Sequence[Clip]
    holes: Holes
    frames: int
    size: tuple[int, int]
    seed: int = 0

    def __len__(self) -> int:
        return len(self.scenes)

    def __getitem__(self, number: int) -> Peopled:
        """Draw a scene.

        Raises:
            UserError: it cannot be read.

        """
        clip = self.scenes[number]
        indices = [min(frame, clip.num_frames - 1) for frame in range(self.frames)]
        clean = open_clip(clip).frames(indices, self.size)
        rng = numpy_generator(mix(self.seed, SPLITS.index(_SPLIT), number))
        return _with_person(clip.name, clean, self.holes.draw(rng, self.frames, _SPLIT))


def _with_person(name: str, clean: NDArray[np.uint8], hole: Hole) -> Peopled:
    figure: Figure = hole.shape  # type: ignore[assignment]  # silhouettes are of somebody
    moments, size = range(len(clean)), (clean.shape[1], clean.shape[2])
    matte = hole.placed(figure, moments, size).clip(0, 1)
    colours = hole.placed(figure.colours, moments, size)
    shown = (colours + (1 - matte[..., None]) * clean.astype(np.float32)).round().clip(0, 255)
    return Peopled(name, clean, shown.astype(np.uint8), matte, hole.masks(moments, size))
