"""What holes look like: another person's silhouette, or blobs that are made up."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

import cv2
import numpy as np

from animate.data.clips import ClipCache
from animate.data.index import FolderIndex
from animate.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from animate.data.clips import ClipReader
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

    def draw(self, rng: np.random.Generator, split: Split) -> Person:
        """See ``holes.Shapes``: a person in motion, from some frame on; at the clip's end it goes back."""
        clips = self._clips(split)
        for _ in range(DRAWS):
            clip = clips[int(rng.integers(len(clips)))]
            person = Person(clip, self._cache.open(clip), int(rng.integers(clip.num_frames)))
            if (person(0) > _ON_FIGURE).mean() >= SMALLEST:
                return person
        raise UserError(f"{clip.name}: hardly a frame with a figure in {DRAWS} draws of silhouettes")

    def _clips(self, split: Split) -> Sequence[Clip]:
        """List the people of a split, once; in a folder without splits, everybody."""
        if split not in self._listed:
            everybody = isinstance(self.people, FolderIndex) and self.people.is_flat
            self._listed[split] = self.people.clips("train" if everybody else split)
        return self._listed[split]

    def __getstate__(self) -> dict[str, ClipIndex]:
        """Leave opened clips behind."""
        return {"people": self.people}

    def __setstate__(self, state: dict[str, ClipIndex]) -> None:
        """Begin with none opened."""
        object.__setattr__(self, "people", state["people"])
        object.__setattr__(self, "_cache", ClipCache())
        object.__setattr__(self, "_listed", {})


@dataclass(frozen=True)
class Person:
    """Somebody in a clip, from some frame on; see ``holes.Figure``.

    Args:
        clip: in which mattes are known.
        reader: of the clip.
        start: the frame that is his first.

    """

    clip: Clip
    reader: ClipReader
    start: int

    def __call__(self, frame: int) -> NDArray[np.float32]:
        """Give the matte of a frame.

        Raises:
            UserError: the clip has none.

        """
        return self._mattes(_there_and_back(self.start + frame, self.clip))

    def colours(self, frame: int) -> NDArray[np.float32]:
        """See ``holes.Figure``: the frame less its background, where that is known, else times the matte."""
        number, matte = _there_and_back(self.start + frame, self.clip), self(frame)[..., None]
        shown = self.reader.frames([number], self._size)[0].astype(np.float32)
        known = self.reader.truth([number], self._size)
        if "background" not in known:
            return np.asarray(shown * matte)
        only: NDArray[np.float32] = shown - (1 - matte) * known["background"][0].astype(np.float32)
        return only.clip(0, 255)

    @property
    def _size(self) -> tuple[int, int]:
        height, width = self.clip.size
        scale = SIDE / max(height, width)
        return max(1, round(scale * height)), max(1, round(scale * width))

    @cached_property
    def _mattes(self) -> Callable[[int], NDArray[np.float32]]:
        """Read mattes of the clip by the numbers of frames, each once."""

        @lru_cache(maxsize=64)
        def read(number: int) -> NDArray[np.float32]:
            known = self.reader.truth([number], self._size)
            if "person_mask" not in known:
                raise UserError(f"{self.clip.name}: has no mattes; `animate annotate mattes` makes them")
            matte: NDArray[np.float32] = known["person_mask"][0]
            return matte

        return read


def _there_and_back(number: int, clip: Clip) -> int:
    """Number the frames of an endless clip: 0 1 2 3 2 1 0 1 ..."""
    period = max(2 * (clip.num_frames - 1), 1)
    return min(number % period, period - number % period) if clip.num_frames > 1 else 0
