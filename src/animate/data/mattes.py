"""Pictures with mattes in two folders, as data sets for matting and saliency (DUTS) come."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from animate.data.clips import require
from animate.data.frame_files import list_frames, upright_size
from animate.data.index import Clip
from animate.errors import UserError
from animate.video.image import read_image, resize

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from animate.data.index import Split

SPLITS: Mapping[Split, tuple[str, ...]] = {
    "train": ("train", "DUTS-TR"),
    "val": ("val",),
    "test": ("test", "DUTS-TE"),
}
"""The folder of each split: the first that is there."""
_PICTURES, _MASKS = (
    re.compile(r"(images?|img)$", re.IGNORECASE),
    re.compile(r"(masks?|mattes?|gt)$", re.IGNORECASE),
)
_THREADS = 8
_FPS = 25.0  # a single picture has no rate of its own


class MatteFolderIndex:
    """One clip of one frame for each picture with a matte. See ``ClipIndex``.

    ``root/train`` and ``root/test`` (or ``DUTS-TR`` and ``DUTS-TE``) each hold two folders: one whose name
    ends in ``image`` (``DUTS-TR-Image``), one in ``mask``, ``matte`` or ``gt``. A matte has the name and the
    size of its picture; white is the figure. Without ``val`` the test pictures are validated on.

    Args:
        root: the data folder.

    Raises:
        UserError: a folder or a matte is missing, or has another size than its picture.

    """

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root).expanduser()
        self._clips = {split: clips for split in SPLITS if (clips := self._split(split))}
        if missing := [split for split in ("train", "test") if split not in self._clips]:
            raise UserError(
                f"data.root: no pictures for {missing[0]} in '{self.root}'; expected are "
                f"{missing[0]}/image and {missing[0]}/mask, or the folders of DUTS"
            )

    @property
    def problems(self) -> Sequence[str]:
        """None: what does not fit is an error here."""
        return ()

    def clips(self, split: Split) -> Sequence[Clip]:
        """List the pictures of a split, sorted."""
        return self._clips.get(split) or self._clips["test"]

    def _split(self, split: Split) -> list[Clip]:
        folder = next((self.root / name for name in SPLITS[split] if (self.root / name).is_dir()), None)
        if folder is None:
            return []
        pictures, mattes = (_by_name(folder, ending) for ending in (_PICTURES, _MASKS))
        if lonely := sorted(set(pictures) - set(mattes)):
            raise UserError(
                f"{pictures[lonely[0]]} has no matte of its name ({len(lonely)} of {len(pictures)} have none)"
            )
        with ThreadPoolExecutor(_THREADS) as pool:
            return list(pool.map(lambda name: _clip(name, pictures[name], mattes[name]), pictures))


def _clip(name: str, picture: Path, matte: Path) -> Clip:
    size, other = upright_size(picture), upright_size(matte)
    if size != other:
        raise UserError(
            f"{matte} is {other[1]}x{other[0]} and its picture {size[1]}x{size[0]}; bring them to one size"
        )
    return Clip(name, name, picture, 1, True, _FPS, size, MatteSource(matte))


def _by_name(folder: Path, ending: re.Pattern[str]) -> dict[str, Path]:
    """List the pictures by name in the folder of this ending."""
    found = sorted(path for path in folder.iterdir() if path.is_dir() and ending.search(path.name))
    if len(found) > 1:
        raise UserError(f"{folder}: both {found[0].name} and {found[1].name} could be meant; leave one")
    return {path.stem: path for path in list_frames(found[0])} if found else {}


@dataclass(frozen=True, slots=True)
class MatteSource:
    """Where the matte of a picture is."""

    matte: Path

    def open(self, clip: Clip) -> MatteReader:
        """Open without decoding."""
        return MatteReader(clip.path, self.matte)


class MatteReader:
    """A picture with its matte; see ``ClipReader``."""

    def __init__(self, path: Path, matte: Path) -> None:
        self._path, self._matte = path, matte

    def frames(self, indices: Sequence[int], size: tuple[int, int] | None) -> NDArray[np.uint8]:
        """See ``ClipReader``."""
        require(indices, 1, self._path)
        picture = read_image(self._path)
        picture = resize(picture, size) if size and size != picture.shape[:2] else picture
        return np.stack([picture] * len(indices))

    def truth(self, indices: Sequence[int], size: tuple[int, int] | None) -> Mapping[str, NDArray[Any]]:
        """See ``ClipReader``: ``person_mask``, averaged where it shrinks."""
        matte = read_image(self._matte)
        matte = resize(matte, size) if size and size != matte.shape[:2] else matte
        grey = cv2.cvtColor(matte, cv2.COLOR_RGB2GRAY).astype(np.float32) / np.float32(255)
        return {"person_mask": np.stack([grey] * len(indices))}
