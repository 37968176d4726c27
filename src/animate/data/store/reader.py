"""Frames and annotations of a clip in a store."""

from __future__ import annotations

import io
import zlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from animate.data.annotations import ClipAnnotations
from animate.data.clips import require
from animate.data.store.layout import LARGEST_PICTURE, TABLE, Range
from animate.data.store.pictures import decode
from animate.data.store.storage import RangeFile, storage_at
from animate.sidecars import Sidecar
from animate.video.decode import FrameError
from animate.video.image import resize

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from animate.data.index import Clip


@dataclass(frozen=True, slots=True)
class StoreSource:
    """A clip in a part of a store, by its ranges of bytes."""

    root: str
    part: str
    """The part's file."""
    part_size: int
    """Its bytes."""
    codec: str
    table: Range
    table_crc: int
    content: str
    """The digest of the file that the clip was made of."""
    start: int
    """The number that its first frame has in that file."""
    annotations: tuple[tuple[str, Range], ...]

    def open(self, clip: Clip) -> StoreReader:
        """Open without reading."""
        return StoreReader(self, clip)


class StoreReader:
    """Frames by ranges of bytes, each checked by its checksum."""

    def __init__(self, source: StoreSource, clip: Clip) -> None:
        self._source, self._clip = source, clip
        self._annotations = StoredAnnotations(source)

    def frames(self, indices: Sequence[int], size: tuple[int, int] | None) -> NDArray[np.uint8]:
        """See :class:`~animate.data.clips.ClipReader`."""
        clip = self._clip
        require(indices, clip.num_frames, clip.name)
        wanted = sorted(set(indices))
        rows = [self._table[i] for i in wanted]
        pieces = [(self._source.part, int(row["offset"]), int(row["size"])) for row in rows]
        pictures = storage_at(self._source.root).read(pieces)
        images = {}
        for number, picture, row in zip(wanted, pictures, rows, strict=True):
            where = f"{clip.path}: {clip.name}, frame {number}"
            if zlib.crc32(picture) != row["crc"]:
                raise FrameError(f"{where}: its checksum is wrong; the part is torn or has changed")
            image = decode(picture, clip.size, where)
            images[number] = image if size is None else resize(image, size)
        return np.stack([images[i] for i in indices])

    def truth(self, indices: Sequence[int], size: tuple[int, int] | None) -> Mapping[str, NDArray[Any]]:
        """See :class:`~animate.data.clips.ClipReader`: what its sidecars say, where it has some."""
        return self._annotations.at([self._source.start + i for i in indices], size or self._clip.size)

    @cached_property
    def _table(self) -> NDArray[np.void]:
        source, name = self._source, f"{self._clip.path}: {self._clip.name}"
        (content,) = storage_at(source.root).read([(source.part, *source.table)])
        if zlib.crc32(content) != source.table_crc:
            raise FrameError(f"{name}: the checksum of its table is wrong; the part is torn or has changed")
        table: NDArray[np.void] = np.frombuffer(content, TABLE)
        behind = table["offset"] > np.uint64(source.part_size) - np.minimum(table["size"], source.part_size)
        if (behind | (table["size"] > LARGEST_PICTURE)).any():
            raise FrameError(f"{name}: its table names bytes that are not in the part")
        return table


class StoredAnnotations(ClipAnnotations):
    """Sidecars that lie in a part."""

    def __init__(self, source: StoreSource) -> None:
        super().__init__(Path(source.root, source.part))
        self._source = source

    def _places(self, kind: str) -> list[Path]:
        return [self._path / name for name, _ in self._source.annotations if name.startswith(f"{kind}.")]

    def _open(self, place: Path) -> Sidecar:
        source = self._source
        file = RangeFile(storage_at(source.root), source.part, dict(source.annotations)[place.name])
        return Sidecar(place, file=io.BufferedReader(file))

    @property
    def _content(self) -> str:
        return self._source.content
