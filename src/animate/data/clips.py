"""Open a clip and decode exactly the frames that are asked for.

Three objects share the work: a :class:`ClipSource` stands in the index (small, picklable, opens nothing),
a :class:`ClipReader` is an opened clip in one process, and a :class:`ClipCache` keeps the readers of a data
worker and, within a budget, the decoded frames of files that cannot seek.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from animate.data.annotations import ClipAnnotations
from animate.data.frame_files import list_frames
from animate.errors import UserError
from animate.video.decode import FrameError, read_frames
from animate.video.image import read_image, resize

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from animate.data.index import Clip
    from animate.data.packed import PackedInfo
    from animate.video.probe import VideoInfo

    Size = tuple[int, int]
    FrameKey = tuple[str, int, Size | None]


class ClipReader(Protocol):
    """An opened clip."""

    def frames(self, indices: Sequence[int], size: tuple[int, int] | None) -> NDArray[np.uint8]:
        """Read exactly these frames in this order, repeats allowed: (T, H, W, 3) uint8 RGB, upright.

        ``size`` is (height, width), the aspect is not kept; without it frames have the size of the clip.
        Raises ``FrameError`` when one of them is not there or is damaged.
        """

    def truth(self, indices: Sequence[int], size: tuple[int, int] | None) -> Mapping[str, NDArray[Any]]:
        """Read what is known about these frames, under the key names of ``types.Batch``; else empty.

        ``points`` (T, J, 2) float32 in [-1, 1], ``visible`` (T, J) bool, ``person_mask`` (T, H, W) float32 in
        [0, 1], ``background`` (T, H, W, 3) uint8, ``identity`` () int64, ``label`` and ``instance``
        (T, H, W) int64; and ``layout`` () str, the name of the points' layout (``animate.layouts``).
        """


class ClipSource(Protocol):
    """How to open a clip: stands in the index, so it is small, picklable, hashable and holds no open file."""

    def open(self, clip: Clip) -> ClipReader:
        """Open ``clip`` for reading in this process."""


@dataclass(frozen=True, slots=True)
class ContainerSource:
    """A video file, with what was learned when it was demuxed."""

    info: PackedInfo

    def open(self, clip: Clip) -> ClipReader:
        """Open by seeking where the container can, else from its start."""
        info = self.info.unpack(clip.path)
        if info.seekable:
            return ContainerReader(clip.path, info)
        return SequentialReader(info)


@dataclass(frozen=True, slots=True)
class FrameFolderSource:
    """A folder of numbered pictures."""

    def open(self, clip: Clip) -> ClipReader:
        """List the folder once."""
        return FrameFolderReader(clip.path, clip.size)


@dataclass(frozen=True, slots=True)
class StripSource:
    """One wide picture with the frames side by side."""

    def open(self, clip: Clip) -> ClipReader:
        """Open without decoding."""
        return StripReader(clip.path, clip.num_frames, clip.size)


@dataclass(frozen=True, slots=True)
class ExcerptSource:
    """A range of another source, as a manifest's ``start`` and ``stop`` ask for."""

    source: ClipSource
    start: int
    whole: int
    """Frames of the whole file."""

    def open(self, clip: Clip) -> ClipReader:
        """Open the whole and count frames from ``start``."""
        reader = self.source.open(replace(clip, num_frames=self.whole))
        return ExcerptReader(reader, self.start, clip.num_frames, clip.name)


class Annotated:
    """A reader of files: what is known about its frames stands in sidecars."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._annotations = ClipAnnotations(path)

    def truth(self, indices: Sequence[int], size: tuple[int, int] | None) -> Mapping[str, NDArray[Any]]:
        """See :class:`ClipReader`; nothing where there is no sidecar."""
        return self._annotations.at(indices, size)


class ContainerReader(Annotated):
    """Frames of a video file that can seek: from the key frame before, decoded forward."""

    def __init__(self, path: Path, info: VideoInfo) -> None:
        super().__init__(path)
        self._info = info

    def frames(self, indices: Sequence[int], size: tuple[int, int] | None) -> NDArray[np.uint8]:
        """See :class:`ClipReader`."""
        require(indices, self._info.num_frames, self._path)
        return read_frames(self._path, indices, self._info, size)


class FrameFolderReader(Annotated):
    """Frames of a folder of pictures.

    Pictures of other sizes than the clip's, which is that of its first frame, are resized to it: a clip is
    one array. ``animate data check --decode`` names such folders.
    """

    def __init__(self, path: Path, size: tuple[int, int]) -> None:
        super().__init__(path)
        self._size, self._files = size, list_frames(path)

    def frames(self, indices: Sequence[int], size: tuple[int, int] | None) -> NDArray[np.uint8]:
        """See :class:`ClipReader`."""
        require(indices, len(self._files), self._path)
        images = {i: _resized(read_picture(self._files[i]), size or self._size) for i in set(indices)}
        return np.stack([images[i] for i in indices])


class ExcerptReader:
    """A range of frames of another reader."""

    def __init__(self, reader: ClipReader, start: int, num_frames: int, name: str) -> None:
        self._reader, self._start, self._num_frames, self._name = reader, start, num_frames, name

    @property
    def whole(self) -> ClipReader:
        """Reader of the file that this is a part of."""
        return self._reader

    def frames(self, indices: Sequence[int], size: tuple[int, int] | None) -> NDArray[np.uint8]:
        """See :class:`ClipReader`."""
        require(indices, self._num_frames, self._name)
        return self._reader.frames(self._shifted(indices), size)

    def truth(self, indices: Sequence[int], size: tuple[int, int] | None) -> Mapping[str, NDArray[Any]]:
        """See :class:`ClipReader`."""
        return self._reader.truth(self._shifted(indices), size)

    def _shifted(self, indices: Sequence[int]) -> list[int]:
        return [self._start + i for i in indices]


class FrameStore:
    """Decoded frames within a budget of bytes; the least recently used go first."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.nbytes = 0
        self._frames: OrderedDict[FrameKey, NDArray[np.uint8]] = OrderedDict()

    def get(self, key: FrameKey) -> NDArray[np.uint8] | None:
        """Return the frame, or None; it becomes the most recently used."""
        if key not in self._frames:
            return None
        self._frames.move_to_end(key)
        return self._frames[key]

    def put(self, key: FrameKey, frame: NDArray[np.uint8]) -> None:
        """Keep ``frame``, and drop old ones until all fit."""
        if key in self._frames:
            self._frames.move_to_end(key)
            return
        self._frames[key] = frame
        self.nbytes += frame.nbytes
        while self.nbytes > self.max_bytes:
            _, dropped = self._frames.popitem(last=False)
            self.nbytes -= dropped.nbytes


class StoringReader(Annotated):
    """A file whose frames come only with others: those that pass are kept while the store has room.

    Without a store (``ClipCache`` gives one) every request decodes anew. A clip that alone would fill the
    store is not kept: walking through it would only drive everything else out.
    """

    store: FrameStore | None = None

    def __init__(self, path: Path, num_frames: int, size: tuple[int, int]) -> None:
        super().__init__(path)
        self._num_frames, self._size = num_frames, size

    def frames(self, indices: Sequence[int], size: tuple[int, int] | None) -> NDArray[np.uint8]:
        """See :class:`ClipReader`."""
        require(indices, self._num_frames, self._path)
        size = size or self._size
        store = self._roomy_store(size)
        keys = {i: (str(self._path), i, size) for i in set(indices)}
        known = {i: store.get(key) for i, key in keys.items()} if store else {}
        found = {i: frame for i, frame in known.items() if frame is not None}
        if missing := sorted(keys.keys() - found.keys()):
            found |= self._decode_and_keep(missing, size, store) if store else self._decode(missing, size)
        return np.stack([found[i] for i in indices])

    def _roomy_store(self, size: tuple[int, int]) -> FrameStore | None:
        whole = self._num_frames * size[0] * size[1] * 3
        return self.store if self.store is not None and whole <= self.store.max_bytes else None

    def _decode_and_keep(
        self, missing: Sequence[int], size: tuple[int, int], store: FrameStore
    ) -> dict[int, NDArray[np.uint8]]:
        try:
            decoded = self._decode(range(self._passing(missing[-1])), size)
        except FrameError:  # one of those that only pass by is damaged
            decoded = self._decode(missing, size)
        for i, frame in decoded.items():
            store.put((str(self._path), i, size), frame)
        return decoded

    def _passing(self, latest: int) -> int:
        """Count the frames that come along, from the first, when ``latest`` is decoded."""
        raise NotImplementedError

    def _decode(self, indices: Sequence[int], size: tuple[int, int]) -> dict[int, NDArray[np.uint8]]:
        """Decode these frames, each an array of its own memory."""
        raise NotImplementedError


class SequentialReader(StoringReader):
    """A container that cannot seek (GIF): decoded from the start up to the latest frame asked for."""

    def __init__(self, info: VideoInfo) -> None:
        super().__init__(info.path, info.num_frames, (info.height, info.width))
        self._info = info

    def _passing(self, latest: int) -> int:
        return latest + 1

    def _decode(self, indices: Sequence[int], size: tuple[int, int]) -> dict[int, NDArray[np.uint8]]:
        frames = read_frames(self._path, indices, self._info, size)
        return {i: frame.copy() for i, frame in zip(indices, frames, strict=True)}


class StripReader(StoringReader):
    """One picture with the frames side by side, the first at the left."""

    def _passing(self, latest: int) -> int:  # noqa: ARG002  the picture is decoded as a whole
        return self._num_frames

    def _decode(self, indices: Sequence[int], size: tuple[int, int]) -> dict[int, NDArray[np.uint8]]:
        image = read_picture(self._path)
        height, width = self._size
        if image.shape[0] != height or image.shape[1] < self._num_frames * width:
            raise FrameError(
                f"{self._path}: is no longer a strip of {self._num_frames} frames {width}x{height}"
            )
        cuts = {i: image[:, i * width : (i + 1) * width] for i in indices}
        return {i: np.array(_resized(cut, size)) for i, cut in cuts.items()}


class ClipCache:
    """The opened readers of one data worker, and the frames that its non-seekable clips have decoded.

    Args:
        max_readers: Opened clips to keep; the least recently used goes first. A reader holds no open file,
            only time stamps or a listing.
        max_bytes: Budget for decoded frames of GIFs and strips, all together.

    """

    def __init__(self, max_readers: int = 64, max_bytes: int = 256 * 2**20) -> None:
        self._max_readers = max_readers
        self._store = FrameStore(max_bytes)
        self._readers: OrderedDict[Clip, ClipReader] = OrderedDict()

    def open(self, clip: Clip) -> ClipReader:
        """Return the reader of ``clip``, opened now or before."""
        if clip in self._readers:
            self._readers.move_to_end(clip)
            return self._readers[clip]
        reader = clip.reader.open(clip)
        whole = reader.whole if isinstance(reader, ExcerptReader) else reader
        if isinstance(whole, StoringReader):
            whole.store = self._store
        self._readers[clip] = reader
        while len(self._readers) > self._max_readers:
            self._readers.popitem(last=False)
        return reader


def open_clip(clip: Clip) -> ClipReader:
    """Open ``clip`` by itself; in a data worker use a :class:`ClipCache`."""
    return clip.reader.open(clip)


def require(indices: Sequence[int], num_frames: int, name: object) -> None:
    """Raise ``FrameError`` unless every index is one of the clip's frames; negative ones are not."""
    if absent := sorted({int(i) for i in indices if not 0 <= i < num_frames}):
        raise FrameError(f"{name}: has {num_frames} frames, frame {absent[0]} was asked for")


def read_picture(path: Path) -> NDArray[np.uint8]:
    """Read one picture of a clip; a bad one makes its frames missing ones (``FrameError``)."""
    try:
        return read_image(path)
    except UserError as error:
        raise FrameError(str(error)) from error


def _resized(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    return image if image.shape[:2] == size else resize(image, size)
