"""Annotations on disk: one ``.npz`` for each clip, kind and back-end, tied to what the clip's file holds.

Plain arrays (nothing is pickled) and ``header``, a JSON text. The arrays by kind, N being the frames of the
clip:

- ``landmarks``, ``pose``: ``points`` (N, J, 2) float32 in [-1, 1], ``found`` (N, J) bool, ``score`` (N, J)
  float32;
- ``faces``, ``persons``: ``boxes`` (M, 5) float32: left, top, right, bottom in [-1, 1] and score; ``frame``
  (M,) int64, increasing: the frame that each belongs to;
- ``identity``: ``embedding`` (N, D) float32, ``found`` (N,) bool;
- ``truth``, of drawn clips: ``points`` (N, J, 2) float32, also of what is hidden, ``visible`` (N, J) bool,
  ``identity`` () int64;
- ``mattes``: ``mattes/000000`` and so on, (H, W) uint8 each, 255 on the figure; a broken frame has none.

A matte is a member of its own, deflated without loss after it was rounded to 1/255: so a clip is written as
a stream, one frame is read without those before it, and, unlike a video, nothing takes it for a clip.

What a broken frame would show is marked as not found. This module knows no back-end, so training can read
what another machine computed.
"""

from __future__ import annotations

import glob
import hashlib
import json
import os
import zipfile
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Self, cast

import numpy as np

from animate import safe_json
from animate.errors import UserError
from animate.npz import DAMAGE, LARGEST, open_archive, open_arrays, read_array
from animate.video.atomic import temporary_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

FORMAT = 1
SUFFIX = ".npz"
_HEADER = "header"
_LARGEST_HEADER = 1 << 26  # bytes: each of a million broken frames with its reason
_LARGEST_MATTE = 1 << 28  # bytes, one for each pixel of the largest picture that is read
_ON_FIGURE = 0.5
_DAMAGE = (*DAMAGE, AttributeError, RecursionError)


class SidecarError(UserError):
    """A sidecar that cannot be read, or that belongs to something else."""


class StaleSidecarError(SidecarError):
    """A sidecar made for other contents, or by another back-end or version."""


@dataclass(frozen=True, slots=True)
class Key:
    """What a sidecar has to agree with to be used."""

    kind: str
    """``landmarks``, ``pose``, ``faces``, ``persons``, ``identity``, ``mattes`` or ``truth``."""
    backend: str
    version: str
    content: str
    """:func:`digest` of the clip."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a sidecar says about itself."""

    key: Key
    num_frames: int
    size: tuple[int, int]
    """(height, width) of the first frame in pixels."""
    found: int
    """In how many frames there is something."""
    layout: str = ""
    """The layout of points (``animate.layouts``); empty for other kinds."""
    broken: Mapping[int, str] = field(default_factory=dict)
    """Frames that could not be looked at, each with the reason."""

    def dumps(self) -> str:
        """Write it as JSON."""
        return json.dumps({"format": FORMAT, **asdict(self)}, ensure_ascii=False)

    @classmethod
    def loads(cls, text: str) -> Header:
        """Read what :meth:`dumps` wrote. Raises ``ValueError`` and the like for anything else."""
        values = safe_json.loads(text)
        if values.pop("format") != FORMAT:
            raise ValueError("it has another format")
        broken = {int(number): str(reason) for number, reason in values.pop("broken").items()}
        height, width = (_whole(side) for side in values.pop("size"))
        num_frames, found = _whole(values.pop("num_frames")), _whole(values.pop("found"))
        layout = values.pop("layout")
        if not isinstance(layout, str):
            raise ValueError("its layout is no name")
        key = Key(**values.pop("key"))
        return cls(key, num_frames, (height, width), found, layout, broken, **values)


def _whole(value: object) -> int:
    if not isinstance(value, int) or value < 0:
        raise ValueError(f"{value!r} is no count")
    return value


def digest(files: Sequence[Path]) -> str:
    """Name the contents of a clip: the bytes of one file; of several, the frames of a folder, names too."""
    whole = hashlib.blake2b(digest_size=16)
    for path in files:
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "blake2b").digest()
        whole.update(content if len(files) == 1 else os.fsencode(path.name) + b"\0" + content)
    return whole.hexdigest()


def cache_folder() -> Path:
    """Return where sidecars go unless told otherwise: ``$XDG_CACHE_HOME/animate/annotations``."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path("~/.cache").expanduser()) / "animate" / "annotations"


def place(key: Key, clip: Path, folder: Path | None) -> Path:
    """Name the sidecar of a clip: in ``folder`` by its content, or with None beside the clip by its name."""
    if folder is None:
        return clip.with_name(f"{clip.name}.{key.kind}.{key.backend}{SUFFIX}")
    return folder / f"{key.content}.{key.kind}.{key.backend}{SUFFIX}"


def sidecars_of(kind: str, where: Path, content: str = "") -> list[Path]:
    """List the sidecars of a kind, of any back-end, as :func:`place` names them.

    Args:
        kind: the kind of annotation.
        where: the clip; or a folder, with ``content``.
        content: the clip's :func:`digest`, by which sidecars in a folder are named.

    """
    folder, stem = (where, content) if content else (where.parent, where.name)
    return sorted(folder.glob(f"{glob.escape(stem)}.{kind}.*{SUFFIX}"))


class SidecarWriter:
    """Fills a sidecar array by array; see :func:`write_sidecar`."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive

    def add(self, name: str, array: NDArray[Any]) -> None:
        """Write an array; it need not be kept after that. Raises ``UserError`` for one that is too large."""
        if array.nbytes > LARGEST:
            raise UserError(f"{name} of this clip take {array.nbytes} bytes, more than is read back; cut it")
        member = zipfile.ZipInfo(f"{name}.npy")  # its fixed date makes equal sidecars equal files
        member.compress_type = zipfile.ZIP_DEFLATED
        with self._archive.open(member, "w", force_zip64=True) as file:
            np.lib.format.write_array(cast("Any", file), array, allow_pickle=False)

    def add_matte(self, number: int, matte: NDArray[np.float32]) -> bool:
        """Write the matte (H, W) of a frame, in [0, 1]; tell whether there is a figure in it."""
        self.add(matte_name(number), np.rint(matte.clip(0, 1) * 255).astype(np.uint8))
        return bool((matte > _ON_FIGURE).any())

    def finish(self, header: Header) -> None:
        """Write what the sidecar says about itself; the last thing to do."""
        self.add(_HEADER, np.asarray(header.dumps()))


@contextmanager
def write_sidecar(target: Path) -> Iterator[SidecarWriter]:
    """Fill a new sidecar, which is put in its place, over an old one, when the block ends well.

    Raises:
        UserError: at once, when the place cannot be written; later, when the disk is full.

    """
    with temporary_file(target) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        yield SidecarWriter(archive)


class Sidecar:
    """An opened sidecar; a context manager. Arrays are read when they are asked for.

    Args:
        path: the file.
        key: what it has to agree with; anything goes without.
        file: where its bytes are read from, when it does not lie at ``path`` by itself.

    Raises:
        FileNotFoundError: there is none.
        StaleSidecarError: it was made for something else than ``key``.
        SidecarError: it is damaged, or of another format.

    """

    def __init__(self, path: Path, key: Key | None = None, file: IO[bytes] | None = None) -> None:
        self.path = path
        self._file = self._open(file)
        try:
            self.header = self._read_header()
            if key is not None and self.header.key != key:
                raise StaleSidecarError(f"{path} is out of date: {_difference(self.header.key, key)}")
        except SidecarError:
            self._file.close()
            raise

    def _open(self, content: IO[bytes] | None) -> np.lib.npyio.NpzFile:
        try:
            file = open_arrays(self.path) if content is None else open_archive(content)
        except FileNotFoundError:
            raise
        except _DAMAGE as error:
            raise self._damaged(error) from error
        if not isinstance(file, np.lib.npyio.NpzFile):
            raise self._damaged("no npz")
        return file

    def _read_header(self) -> Header:
        try:
            return Header.loads(str(self.array(_HEADER, _LARGEST_HEADER)))
        except _DAMAGE as error:
            raise self._damaged(error) from error

    def array(self, name: str, largest: int = LARGEST) -> NDArray[Any]:
        """Read an array, of up to ``largest`` bytes. Raises ``SidecarError`` without one, or for damage."""
        try:
            return read_array(self._file, name, largest)
        except Exception as error:  # NumPy's parser of headers stumbles over damage in many ways
            raise self._damaged(error) from error

    def matte(self, number: int) -> NDArray[np.float32]:
        """Read the matte of a frame, (H, W) in [0, 1]. Raises ``SidecarError`` when there is none."""
        return self.array(matte_name(number), _LARGEST_MATTE).astype(np.float32) / np.float32(255)

    def _damaged(self, error: object) -> SidecarError:
        return SidecarError(f"{self.path} is damaged or no sidecar ({error}); remove it and annotate again")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


def matte_name(number: int) -> str:
    """Name the array that holds the matte of a frame."""
    return f"mattes/{number:06d}"


def _difference(old: Key, new: Key) -> str:
    if old.content != new.content:
        return "the clip has changed since"
    return f"made by {old.backend} {old.version} ({old.kind}), not {new.backend} {new.version} ({new.kind})"
