"""Scenes from any folder of pictures and videos: one clip each, in splits that never share one."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from animate.data.clips import read_picture, require
from animate.data.frame_files import is_hidden, natural_key, upright_size
from animate.data.index import SPLITS, Clip, Learner, refuse_too_many
from animate.data.index_cache import IndexCache
from animate.data.layouts import PICTURE_FPS, VIDEO_SUFFIXES, Container, Facts, Found
from animate.errors import UserError
from animate.sidecars import SUFFIX
from animate.video.image import PICTURE_SUFFIXES, resize

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from animate.data.clips import ClipReader, ClipSource
    from animate.data.index import Split

_CACHE = ".animate-scenes.json"
_TENTHS: tuple[Split, ...] = ("test", "val", *("train",) * 8)
"""Which split each tenth of the files belongs to where folders do not tell."""


class SceneFolderIndex:
    """Every picture and every video under a folder, at any depth. See ``ClipIndex``.

    Files under ``root/train``, ``root/val`` and ``root/test`` belong to these splits where there is a
    ``train``; without ``val``, ``val`` means ``test``. In any other folder a file's split follows from its
    name: about a tenth each for ``val`` and ``test``, always the same ones, whatever else lies there.

    Args:
        root: the folder.
        flat: the split that all files of a folder without ``train`` belong to instead.
        max_broken_share: up to this share of the files may be broken; they stand in :attr:`problems`.

    Raises:
        UserError: the folder is missing, holds nothing of the kind, or too many of its files are broken.

    """

    def __init__(self, root: str | Path, *, flat: Split | None = None, max_broken_share: float = 0.1) -> None:
        self.root = Path(root).expanduser()
        if not self.root.is_dir():
            raise UserError(f"data.scenes: '{self.root}' is no folder; give one with pictures or videos")
        learn = Learner(IndexCache(self.root, _CACHE), self._name)
        facts = learn([found for path in _files(self.root) if (found := _found(path))])
        self.problems: Sequence[str] = learn.problems
        refuse_too_many(self.problems, len(facts), max_broken_share, str(self.root))
        told = (self.root / "train").is_dir()
        self._clips: dict[Split, list[Clip]] = {split: [] for split in SPLITS}
        for path, known in facts.items():
            split = _split_of(self._name(path), told) if told or flat is None else flat
            if split is not None:
                self._clips[split].append(self._clip(path, known))

    def clips(self, split: Split) -> Sequence[Clip]:
        """List the scenes of a split, sorted. Raises ``UserError`` when there are none."""
        clips = self._clips[split] or (self._clips["test"] if split == "val" else [])
        if not clips:
            raise UserError(
                f"data.scenes: no pictures or videos for {split} in '{self.root}'; put some into"
                f" {self.root / split}, beside train, or more into the folder"
            )
        return clips

    def _name(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()

    def _clip(self, path: Path, facts: Facts) -> Clip:
        name = self._name(path)
        source = _layout(path).source(facts)
        return Clip(name, name, path, facts.num_frames, facts.exact, facts.fps, facts.size, source)


def _files(root: Path) -> list[Path]:
    """List what is not hidden and no sidecar, in natural order."""
    inside = (path for path in root.rglob("*") if path.is_file())
    shown = [p for p in inside if not any(map(is_hidden, p.relative_to(root).parts)) and p.suffix != SUFFIX]
    return sorted(shown, key=lambda path: natural_key(path.relative_to(root).as_posix()))


def _found(path: Path) -> Found | None:
    known = PICTURE_SUFFIXES | VIDEO_SUFFIXES
    return Found(path, _layout(path)) if path.suffix.lower() in known else None


def _layout(path: Path) -> Container | Picture:
    return Container() if path.suffix.lower() in VIDEO_SUFFIXES else Picture()


def _split_of(name: str, told: bool) -> Split | None:
    """Tell the split of a file: from its first folder, else by its name alone."""
    if told:
        first = name.split("/")[0]
        return first if first in SPLITS else None
    return _TENTHS[zlib.crc32(name.encode(errors="surrogateescape")) % len(_TENTHS)]


class Picture:
    """A picture that is a clip of one frame; see ``layouts.Layout``."""

    def facts(self, path: Path) -> Facts:
        """Read its header."""
        return Facts(1, True, PICTURE_FPS, upright_size(path))

    def source(self, facts: Facts) -> ClipSource:  # noqa: ARG002
        """See ``layouts.Layout``."""
        return PictureSource()


@dataclass(frozen=True, slots=True)
class PictureSource:
    """How to open a picture."""

    def open(self, clip: Clip) -> ClipReader:
        """Open without decoding."""
        return PictureReader(clip.path)


class PictureReader:
    """A clip of one picture; see ``ClipReader``."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def frames(self, indices: Sequence[int], size: tuple[int, int] | None) -> NDArray[np.uint8]:
        """See ``ClipReader``."""
        require(indices, 1, self._path)
        picture = read_picture(self._path)
        picture = resize(picture, size) if size and size != picture.shape[:2] else picture
        return np.stack([picture] * len(indices))

    def truth(
        self,
        indices: Sequence[int],  # noqa: ARG002
        size: tuple[int, int] | None,  # noqa: ARG002
    ) -> Mapping[str, NDArray[Any]]:
        """Nothing is known."""
        return {}
