"""Drawn scenes without a figure: an index of places, by families that splits do not share."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from animate.data.clips import require
from animate.data.index import SPLITS, Clip
from animate.data.synthetic.canvas import finished
from animate.data.synthetic.chance import Chance
from animate.data.synthetic.places import FAMILIES, draw_scene
from animate.errors import UserError
from animate.ops.random import mix

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from animate.data.clips import ClipReader
    from animate.data.index import Split
    from animate.data.synthetic.scene import Scene

_CACHED = 256
_FPS = 25.0


@dataclass(frozen=True, slots=True)
class Place:
    """All that a scene is drawn from."""

    families: tuple[str, ...]
    """Of which it is one."""
    seed: int
    num_frames: int

    def open(self, clip: Clip) -> ClipReader:
        """See ``ClipSource``."""
        return PlaceReader(self, clip.size)


class PlaceReader:
    """Draws the frames of a scene; see ``ClipReader``."""

    def __init__(self, place: Place, size: tuple[int, int]) -> None:
        self._place, self._size = place, size

    def frames(self, indices: Sequence[int], size: tuple[int, int] | None) -> NDArray[np.uint8]:
        """(T, H, W, 3) uint8 RGB."""
        require(indices, self._place.num_frames, "scene")
        scene, size = _scene(self._place), size or self._size
        drawn = {index: finished(scene.paint(size, index)) for index in dict.fromkeys(indices)}
        return np.stack([drawn[index] for index in indices])

    def truth(
        self,
        indices: Sequence[int],  # noqa: ARG002
        size: tuple[int, int] | None,  # noqa: ARG002
    ) -> Mapping[str, NDArray[Any]]:
        """Nothing: there is nobody in it."""
        return {}


@lru_cache(maxsize=_CACHED)
def _scene(place: Place) -> Scene:
    return draw_scene(Chance(place.seed), np.arange(place.num_frames) / _FPS, place.families)


class SceneIndex:
    """Clips of drawn scenes; see ``ClipIndex``.

    Args:
        train_families: names of ``places.FAMILIES`` that training scenes are of.
        val_families: likewise; of no other split's.
        test_families: likewise.
        train_clips: number of training scenes; likewise for the other splits.
        frames: of each; with several, half of the scenes move.
        size: side of the pictures where no size is asked for.
        seed: another seed is another data set.

    Raises:
        UserError: a number is not positive, a family is not known, or two splits share one.

    """

    def __init__(
        self,
        *,
        train_families: Sequence[str] = ("meadow", "room", "beach", "pattern"),
        val_families: Sequence[str] = ("winter",),
        test_families: Sequence[str] = ("town", "stage"),
        train_clips: int = 2000,
        val_clips: int = 32,
        test_clips: int = 300,
        frames: int = 1,
        size: int = 128,
        seed: int = 0,
    ) -> None:
        numbers = {"train_clips": train_clips, "val_clips": val_clips, "test_clips": test_clips}
        for name, number in (numbers | {"frames": frames, "size": size}).items():
            if number < 1:
                raise UserError(f"scenes: {name} is {number}; it has to be at least 1")
        self._families: dict[Split, tuple[str, ...]] = {
            "train": tuple(train_families),
            "val": tuple(val_families),
            "test": tuple(test_families),
        }
        _check(self._families)
        self._counts: dict[Split, int] = {"train": train_clips, "val": val_clips, "test": test_clips}
        self._frames, self._size, self._seed = frames, size, seed
        self.problems: Sequence[str] = ()

    def clips(self, split: Split) -> Sequence[Clip]:
        """Return the scenes of a split; its families take turns."""
        return [self._clip(split, number) for number in range(self._counts[split])]

    def _clip(self, split: Split, number: int) -> Clip:
        family = self._families[split][number % len(self._families[split])]
        place = Place((family,), mix(self._seed, SPLITS.index(split), number), self._frames)
        name = f"{split}_{number:05d}_{family}"
        path = Path("scenes") / split / name
        return Clip(name, family, path, self._frames, True, _FPS, (self._size, self._size), place)


def _check(families: Mapping[Split, tuple[str, ...]]) -> None:
    every = [name for names in families.values() for name in names]
    if unknown := sorted(set(every) - set(FAMILIES)):
        raise UserError(f"scenes: no family {', '.join(unknown)} (known: {', '.join(FAMILIES)})")
    if empty := [split for split, names in families.items() if not names]:
        raise UserError(f"scenes: {empty[0]}_families is empty; at least one is needed")
    if shared := sorted({name for name in every if every.count(name) > 1}):
        raise UserError(f"scenes: {', '.join(shared)} twice; every family belongs to one split")
