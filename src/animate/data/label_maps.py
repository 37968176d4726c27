"""Pictures with maps of classes and instances, in the folders that pix2pixHD takes Cityscapes from."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from PIL import Image

from animate.data.clips import require
from animate.data.frame_files import list_frames, upright_size
from animate.data.index import SPLITS, Clip, with_progress
from animate.errors import UserError
from animate.video.image import read_image, resize

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from animate.data.index import Split

    Map = NDArray[np.int64]

KINDS = ("img", "label", "inst")
_ENDINGS = re.compile(r"_(leftImg8bit|gtFine_\w+|gtCoarse_\w+)$")
_NUMBERS = ("L", "P", "I", "I;16", "I;16B", "1")
_THREADS = 8
_FPS = 25.0  # a single picture has no rate of its own


class LabelMapIndex:
    """One clip of one frame for each picture of ``root/SPLIT_img``. See ``ClipIndex``.

    ``root/SPLIT_label`` holds its map of classes, ``root/SPLIT_inst``, where it is there, its map of
    instances: pictures of one channel, of the same size and name. The endings of Cityscapes' names
    (``_leftImg8bit``, ``_gtFine_labelIds``, ``_gtFine_instanceIds``) do not count. Splits are ``train``,
    ``test`` and ``val``; without ``val`` the test pictures are validated on, as elsewhere.

    Every map of classes is read here, so that a wrong one is told before the first step.

    Args:
        root: the data folder.
        labels: how many classes there are: numbers from 0 to ``labels`` - 1.

    Raises:
        UserError: a folder or a map is missing, damaged, of another size, or holds a number that is no class.

    """

    def __init__(self, root: str | Path, *, labels: int) -> None:
        self.root = Path(root).expanduser()
        self._labels = labels
        self._clips = {split: self._split(split) for split in SPLITS if (self._folder(split, "img")).is_dir()}
        if missing := [split for split in ("train", "test") if not self._clips.get(split)]:
            raise UserError(
                f"data.root: no pictures in '{self._folder(missing[0], 'img')}'; expected are"
                f" {missing[0]}_img, {missing[0]}_label and perhaps {missing[0]}_inst"
            )
        every = [clip for clips in self._clips.values() for clip in clips]
        with ThreadPoolExecutor(_THREADS) as pool:
            for _ in with_progress(pool.map(self._check, every), "reading labels", len(every)):
                pass

    @property
    def problems(self) -> Sequence[str]:
        """None: what cannot be read is an error here."""
        return ()

    def clips(self, split: Split) -> Sequence[Clip]:
        """List the pictures of a split, sorted."""
        return self._clips.get(split) or self._clips["test"]

    def _folder(self, split: str, kind: str) -> Path:
        return self.root / f"{split}_{kind}"

    def _split(self, split: Split) -> list[Clip]:
        named = {kind: _by_name(self._folder(split, kind)) for kind in KINDS}
        return [self._clip(name, split, named) for name in named["img"]]

    def _clip(self, name: str, split: Split, named: Mapping[str, Mapping[str, Path]]) -> Clip:
        picture, label, instance = (named[kind].get(name) for kind in KINDS)
        assert picture is not None
        if label is None or (named["inst"] and instance is None):
            kind = "inst" if label else "label"
            raise UserError(f"{picture} has no map of its name in {self._folder(split, kind)}")
        return Clip(
            name, name, picture, 1, True, _FPS, upright_size(picture), LabelMapSource(label, instance)
        )

    def _check(self, clip: Clip) -> None:
        source = clip.reader
        assert isinstance(source, LabelMapSource)
        values = read_map(source.label)
        maps = {source.label: values.shape}
        if source.instance is not None:
            maps[source.instance] = upright_size(source.instance)
        for path, size in maps.items():
            if size != clip.size:
                raise UserError(f"{path} is {_told(size)} and its picture {_told(clip.size)}")
        if not 0 <= values.min() <= values.max() < self._labels:
            wrong = int(values.max() if values.max() >= self._labels else values.min())
            raise UserError(
                f"{source.label}: has the class {wrong}, and there are {self._labels} from 0 to"
                f" {self._labels - 1}; set model.networks.labels, or correct the map"
            )


@dataclass(frozen=True, slots=True)
class LabelMapSource:
    """Where the maps of a picture are."""

    label: Path
    instance: Path | None

    def open(self, clip: Clip) -> LabelMapReader:
        """Open without decoding."""
        return LabelMapReader(clip.path, self)


class LabelMapReader:
    """A picture with its maps; see ``ClipReader``."""

    def __init__(self, path: Path, source: LabelMapSource) -> None:
        self._path, self._source = path, source

    def frames(self, indices: Sequence[int], size: tuple[int, int] | None) -> NDArray[np.uint8]:
        """See ``ClipReader``."""
        require(indices, 1, self._path)
        picture = read_image(self._path)
        picture = resize(picture, size) if size and size != picture.shape[:2] else picture
        return np.stack([picture] * len(indices))

    def truth(self, indices: Sequence[int], size: tuple[int, int] | None) -> Mapping[str, NDArray[Any]]:
        """See ``ClipReader``: ``label``, and ``instance`` if there is one; of the nearest pixels."""
        paths = {"label": self._source.label, "instance": self._source.instance}
        maps = {name: _resized(read_map(path), size) for name, path in paths.items() if path is not None}
        return {name: np.stack([values] * len(indices)) for name, values in maps.items()}


def read_map(path: Path) -> Map:
    """Read a picture of one channel as numbers: (H, W).

    Raises:
        UserError: it is missing, damaged, or in colours.

    """
    try:
        with Image.open(path) as image:
            if image.mode not in _NUMBERS:
                raise UserError(f"{path} is a picture in colours; a map has one channel of whole numbers")
            return np.asarray(image).astype(np.int64)
    except Image.DecompressionBombError:
        raise UserError(f"{path} has too many pixels; scale it down first") from None
    except (OSError, SyntaxError, ValueError) as error:
        raise UserError(f"{path} is missing, damaged or no picture ({error})") from None


def _resized(values: Map, size: tuple[int, int] | None) -> Map:
    if size is None or size == values.shape:
        return values
    # OpenCV knows 32 bit whole numbers as floats only, which hold them exactly up to 2^24.
    moved = cv2.resize(values.astype(np.float32), size[::-1], interpolation=cv2.INTER_NEAREST_EXACT)
    return moved.astype(np.int64)


def _by_name(folder: Path) -> dict[str, Path]:
    """List pictures by the name that maps and picture share."""
    return {_ENDINGS.sub("", path.stem): path for path in list_frames(folder)} if folder.is_dir() else {}


def _told(size: Sequence[int]) -> str:
    return f"{size[1]}x{size[0]}"
