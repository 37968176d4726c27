"""Scenes with holes in them: what an inpainting network learns from and is scored on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from animate.data.hole_shapes import Blobs, Silhouettes
from animate.data.holes import Holes
from animate.data.index import SPLITS, Clip, FolderIndex
from animate.data.module import VideoDataModule
from animate.data.scenes import SceneFolderIndex
from animate.data.views import read
from animate.errors import UserError
from animate.ops.random import mix, numpy_generator

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from animate.data.clips import ClipReader, ClipSource
    from animate.data.holes import Hole
    from animate.data.index import ClipIndex, Split
    from animate.data.transforms import Augmentation
    from animate.data.views import Sample, View, WholeClip

HOLE = "hole_mask"


class HoledScenes:
    """The clips of another index, each with a hole of its own that never changes: for evaluation.

    The truth about a frame has an entry more, ``hole_mask`` (T, H, W). A training sample does not read it:
    :class:`SceneWithHole` draws it another hole each time.

    Args:
        scenes: what is to be seen behind the holes.
        holes: how they are drawn.
        seed: of the holes.

    """

    def __init__(self, scenes: ClipIndex, holes: Holes, *, seed: int = 0) -> None:
        self.scenes, self.holes, self.seed = scenes, holes, seed

    @property
    def problems(self) -> Sequence[str]:
        """Those of the scenes."""
        return self.scenes.problems

    def clips(self, split: Split) -> Sequence[Clip]:
        """List the scenes of a split; see ``ClipIndex``."""
        return [self._holed(clip, split, number) for number, clip in enumerate(self.scenes.clips(split))]

    def _holed(self, clip: Clip, split: Split, number: int) -> Clip:
        seed = mix(self.seed, SPLITS.index(split), number)
        return replace(clip, reader=HoledSource(clip.reader, self.holes, split, seed))


@dataclass(frozen=True, eq=False, slots=True)
class HoledSource:
    """How to open a scene with its hole."""

    scene: ClipSource
    holes: Holes
    split: Split
    seed: int

    def open(self, clip: Clip) -> ClipReader:
        """See ``ClipSource``."""
        return HoledReader(self, clip)


class HoledReader:
    """A scene's reader, that knows a hole besides; see ``ClipReader``."""

    def __init__(self, source: HoledSource, clip: Clip) -> None:
        self._source, self._clip = source, clip
        self._scene = source.scene.open(replace(clip, reader=source.scene))

    def frames(self, indices: Sequence[int], size: tuple[int, int] | None) -> NDArray[np.uint8]:
        """See ``ClipReader``."""
        return self._scene.frames(indices, size)

    def truth(self, indices: Sequence[int], size: tuple[int, int] | None) -> Mapping[str, NDArray[Any]]:
        """See ``ClipReader``."""
        return _WithHole(self._scene.truth(indices, size), self, indices, size or self._clip.size)

    @cached_property
    def hole(self) -> Hole:
        """The clip's own."""
        source = self._source
        return source.holes.draw(numpy_generator(source.seed), self._clip.num_frames, source.split)


class _WithHole(Mapping[str, "NDArray[Any]"]):
    """The truth about a scene, and a hole that is drawn when it is looked up."""

    def __init__(
        self,
        scene: Mapping[str, NDArray[Any]],
        reader: HoledReader,
        indices: Sequence[int],
        size: tuple[int, int],
    ) -> None:
        self._scene, self._reader, self._indices, self._size = scene, reader, indices, size

    def __getitem__(self, key: str) -> NDArray[Any]:
        if key == HOLE:
            return self._reader.hole.masks(self._indices, self._size)
        return self._scene[key]

    def __contains__(self, key: object) -> bool:
        return key == HOLE or key in self._scene

    def __iter__(self) -> Iterator[str]:
        yield from self._scene
        yield HOLE

    def __len__(self) -> int:
        return len(self._scene) + 1


@dataclass(frozen=True, slots=True)
class SceneWithHole:
    """Frames of a scene that follow each other, and a hole that is drawn anew for every sample.

    A scene with fewer frames, such as a picture, stands still at its last; the hole moves all the same.

    Args:
        holes: how they are drawn.
        frames: T, how many.
        split: whose shapes holes have.

    """

    holes: Holes
    frames: int = 1
    split: Split = "train"

    def __post_init__(self) -> None:
        if self.frames < 1:
            raise UserError(f"data.train_view.frames={self.frames}: at least 1")

    def __call__(
        self, clip: Clip, reader: ClipReader, rng: np.random.Generator, size: tuple[int, int]
    ) -> Sample:
        """See ``views.View``."""
        start = int(rng.integers(max(clip.num_frames - self.frames, 0) + 1))
        indices = [min(start + step, clip.num_frames - 1) for step in range(self.frames)]
        hole = self.holes.draw(rng, self.frames, self.split)
        return read(clip, reader, indices, size, ()) | {HOLE: hole.masks(range(self.frames), size)}


class InpaintingData(VideoDataModule):
    """Scenes with holes: ``VideoDataModule`` over :class:`HoledScenes` and :class:`SceneWithHole`.

    An augmentation changes the scenes and leaves the holes where they are.

    Args:
        scenes: a folder of pictures and videos (``data.scenes.SceneFolderIndex``), or an index.
        people: whose silhouettes holes have: a folder of clips with sidecars of mattes (``data.index``), or
            an index; None for blobs.
        share: (smallest, largest) share of the picture that a hole takes.
        drift: how far holes move in a clip (``data.holes.Holes``).
        frames: how many frames a training sample has.
        holes_seed: of the holes that evaluation sees, whatever the seed of the run.
        eval_view: see ``VideoDataModule``, as are all others.
        image_size: as above.
        batch_size: as above.
        augmentation: as above.
        seed: as above.
        repeats: as above.
        steps_per_epoch: as above.
        eval_batch_size: as above.
        num_workers: as above.
        max_skipped_share: as above.

    Raises:
        UserError: there are no scenes or no people, or as ``VideoDataModule``.

    """

    def __init__(
        self,
        *,
        scenes: str | Path | ClipIndex,
        people: str | Path | ClipIndex | None = None,
        share: Sequence[float] = (0.05, 0.3),
        drift: float = 0.2,
        frames: int = 1,
        holes_seed: int = 0,
        eval_view: View | WholeClip,
        image_size: int | Sequence[int],
        batch_size: int,
        augmentation: Augmentation | None = None,
        seed: int = 0,
        repeats: int = 1,
        steps_per_epoch: int | None = None,
        eval_batch_size: int = 1,
        num_workers: int | None = None,
        max_skipped_share: float = 0.1,
    ) -> None:
        folder = scenes if isinstance(scenes, str | Path) else None
        index = SceneFolderIndex(folder, max_broken_share=max_skipped_share) if folder else scenes
        assert not isinstance(index, str | Path)
        holes = Holes(shapes_of(people, max_skipped_share), share, drift)
        super().__init__(
            HoledScenes(index, holes, seed=holes_seed),
            image_size=image_size,
            batch_size=batch_size,
            train_view=SceneWithHole(holes, frames),
            eval_view=eval_view,
            augmentation=augmentation,
            seed=seed,
            root=folder,
            repeats=repeats,
            steps_per_epoch=steps_per_epoch,
            eval_batch_size=eval_batch_size,
            num_workers=num_workers,
            max_skipped_share=max_skipped_share,
        )


def shapes_of(people: str | Path | ClipIndex | None, max_broken_share: float = 1.0) -> Blobs | Silhouettes:
    """Tell the shapes of holes: see ``InpaintingData``; up to this share of a folder's clips may be broken.

    Raises:
        UserError: the folder cannot be used.

    """
    if people is None:
        return Blobs()
    if isinstance(people, str | Path):
        return Silhouettes(FolderIndex(people, flat="train", max_broken_share=max_broken_share))
    return Silhouettes(people)
