"""What holes look like: another person's silhouette, or blobs that are made up."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

import cv2
import numpy as np

from animate.data.clips import ClipCache
from animate.data.index import FolderIndex
from animate.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from animate.data.holes import Shape
    from animate.data.index import Clip, ClipIndex, Split

SIDE = 128
"""Of the squares that blobs are drawn on, and longer side of silhouettes."""
DRAWS = 16
"""How many frames are drawn before people are given up that hardly show a figure."""
SMALLEST = 0.01
"""Share of its own picture that a figure must take to be used."""
_FEWEST, _MOST = 4, 9
_ON_FIGURE = 0.5


@dataclass(frozen=True, slots=True)
class Blobs:
    """Strokes that wander from a common start, as thick as a limb or a body: nobody's silhouette.

    In the manner of the free-form masks of Yu et al., "Free-Form Image Inpainting with Gated Convolution"
    (2019).
    """

    def draw(self, rng: np.random.Generator, split: Split) -> Shape:  # noqa: ARG002
        """See ``holes.Shapes``; every frame shows the same."""
        canvas = np.zeros((SIDE, SIDE), np.uint8)
        start = rng.uniform(0.35, 0.65, 2) * SIDE
        for _ in range(int(rng.integers(_FEWEST, _MOST))):
            at, direction = start, rng.uniform(0, 2 * np.pi)
            width = int(rng.uniform(0.06, 0.2) * SIDE)
            for _ in range(int(rng.integers(2, 5))):
                direction += rng.uniform(-0.7, 0.7)
                step = rng.uniform(0.08, 0.16) * SIDE * np.array([np.cos(direction), np.sin(direction)])
                cv2.line(canvas, _pixel(at), _pixel(at + step), 255, width, cv2.LINE_AA)
                at = at + step
        mask = canvas.astype(np.float32) / np.float32(255)
        return lambda frame: mask  # noqa: ARG005


def _pixel(point: NDArray[np.float64]) -> tuple[int, int]:
    return int(point[0]), int(point[1])


@dataclass(frozen=True)
class Silhouettes:
    """The true or annotated mattes of people.

    Args:
        people: clips whose ``person_mask`` is known: drawn ones, files with sidecars of mattes (``animate
            annotate mattes``), pictures beside their mattes.

    """

    people: ClipIndex
    _cache: ClipCache = field(default_factory=ClipCache, init=False, repr=False, compare=False)
    _listed: dict[Split, Sequence[Clip]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def draw(self, rng: np.random.Generator, split: Split) -> Shape:
        """See ``holes.Shapes``: a person in motion, from some frame on; at the clip's end it goes back."""
        clips = self._clips(split)
        for _ in range(DRAWS):
            clip = clips[int(rng.integers(len(clips)))]
            start = int(rng.integers(clip.num_frames))
            read = self._reading(clip)
            if (read(start) > _ON_FIGURE).mean() >= SMALLEST:
                return lambda frame, clip=clip, read=read, start=start: read(
                    _there_and_back(start + frame, clip)
                )
        raise UserError(f"{clip.name}: hardly a frame with a figure in {DRAWS} draws of silhouettes")

    def _clips(self, split: Split) -> Sequence[Clip]:
        """List the people of a split, once; in a folder without splits, everybody."""
        if split not in self._listed:
            everybody = isinstance(self.people, FolderIndex) and self.people.is_flat
            self._listed[split] = self.people.clips("train" if everybody else split)
        return self._listed[split]

    def _reading(self, clip: Clip) -> Callable[[int], NDArray[np.float32]]:
        """Read mattes of a clip, each once."""
        reader = self._cache.open(clip)
        scale = SIDE / max(clip.size)
        size = (max(1, round(scale * clip.size[0])), max(1, round(scale * clip.size[1])))

        @lru_cache(maxsize=64)
        def read(frame: int) -> NDArray[np.float32]:
            known = reader.truth([frame], size)
            if "person_mask" not in known:
                raise UserError(f"{clip.name}: has no mattes; `animate annotate mattes` makes them")
            matte: NDArray[np.float32] = known["person_mask"][0]
            return matte

        return read

    def __getstate__(self) -> dict[str, ClipIndex]:
        """Leave opened clips behind."""
        return {"people": self.people}

    def __setstate__(self, state: dict[str, ClipIndex]) -> None:
        """Begin with none opened."""
        object.__setattr__(self, "people", state["people"])
        object.__setattr__(self, "_cache", ClipCache())
        object.__setattr__(self, "_listed", {})


def _there_and_back(number: int, clip: Clip) -> int:
    """Number the frames of an endless clip: 0 1 2 3 2 1 0 1 ..."""
    period = max(2 * (clip.num_frames - 1), 1)
    return min(number % period, period - number % period) if clip.num_frames > 1 else 0
