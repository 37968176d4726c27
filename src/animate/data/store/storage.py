"""Where the files of a store lie: in a folder here, or in an object store through fsspec.

Both read ranges of bytes, so that a large file is never read as a whole.
"""

from __future__ import annotations

import io
import os
from functools import lru_cache
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from animate.data.store.layout import HEADER, PLAN, Piece, Range, StoreError
from animate.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Storage(Protocol):
    """The files of one store."""

    def read(self, pieces: Sequence[Piece]) -> list[bytes]:
        """Read ranges of files; what lies behind the end of one is missing from the bytes.

        Raises:
            StoreError: a file is not there, or cannot be reached.

        """

    def sizes(self, names: Sequence[str]) -> list[int | None]:
        """Tell the bytes of files; None for one that is not there."""


class LocalFolder:
    """A folder."""

    def __init__(self, root: str) -> None:
        self._root = Path(root)

    def read(self, pieces: Sequence[Piece]) -> list[bytes]:
        """See :class:`Storage`."""
        found: list[bytes] = []
        for name, group in groupby(pieces, itemgetter(0)):
            found += self._read(self._root / name, [(first, count) for _, first, count in group])
        return found

    def _read(self, path: Path, ranges: Sequence[Range]) -> list[bytes]:
        try:
            file = os.open(path, os.O_RDONLY)
            try:
                end = os.fstat(file).st_size  # no memory is taken for what is not there
                return [os.pread(file, max(0, min(count, end - first)), first) for first, count in ranges]
            finally:
                os.close(file)
        except OSError as error:
            raise StoreError(f"{path}: cannot be read: {error.strerror}") from error

    def sizes(self, names: Sequence[str]) -> list[int | None]:
        """See :class:`Storage`."""
        places = [self._root / name for name in names]
        return [place.stat().st_size if place.is_file() else None for place in places]


class ObjectStore:
    """A prefix of an object store, by an address such as ``s3://bucket/store``."""

    def __init__(self, root: str) -> None:
        self._address, self._files = root, _file_system(root)
        self._root = self._files._strip_protocol(root)

    def read(self, pieces: Sequence[Piece]) -> list[bytes]:
        """See :class:`Storage`; all of them are asked for at the same time."""
        paths = [self._path(name) for name, _, _ in pieces]
        starts, ends = [first for _, first, _ in pieces], [first + count for _, first, count in pieces]
        try:
            return [bytes(found) for found in self._files.cat_ranges(paths, starts, ends, on_error="raise")]
        except Exception as error:  # every object store has errors of its own
            raise self._unreachable(pieces[0][0], error) from error

    def sizes(self, names: Sequence[str]) -> list[int | None]:
        """See :class:`Storage`; one listing for all."""
        try:
            found = self._files.ls(self._root, detail=True)
        except FileNotFoundError:
            found = []
        except Exception as error:
            raise self._unreachable("", error) from error
        sizes: dict[str, int] = {entry["name"].rsplit("/", 1)[-1]: entry["size"] for entry in found}
        return [sizes.get(name) for name in names]

    def _path(self, name: str) -> str:
        return f"{self._root.rstrip('/')}/{name}"

    def _unreachable(self, name: str, error: Exception) -> StoreError:
        reason = " ".join(str(error).split()) or type(error).__name__
        place = f"{self._address.rstrip('/')}/{name}"
        return StoreError(f"{place}: cannot be read: {reason}; check the address and the credentials")


def _file_system(address: str) -> Any:
    from fsspec.core import url_to_fs

    connect: Callable[[str], tuple[Any, str]] = url_to_fs
    try:
        return connect(address)[0]
    except ImportError as error:
        raise UserError(f"{address}: {error}; for s3:// install animate[s3]") from error
    except Exception as error:  # some connect at once, and each has errors of its own
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"{address}: cannot be reached: {reason}; check the address") from error


def is_address(root: str | os.PathLike[str]) -> bool:
    """Tell whether ``root`` is an address of an object store and not a path here."""
    return "://" in os.fspath(root)


def storage_at(root: str) -> Storage:
    """Give the files at a path or an address; connected once in each process."""
    return _storage(root, os.getpid())


@lru_cache(maxsize=8)
def _storage(root: str, _process: int) -> Storage:
    return ObjectStore(root) if is_address(root) else LocalFolder(root)


def is_store(root: str | os.PathLike[str]) -> bool:
    """Tell whether a store is at ``root``: a folder with ``store.json``, or any address.

    Raises:
        UserError: one has been begun there and is not whole.

    """
    if is_address(root):
        return True
    folder = Path(root).expanduser()
    if (folder / HEADER).is_file():
        return True
    if (folder / PLAN).is_file():
        raise UserError(
            f"{folder}: a store that is not whole yet; run `animate data prepare` again, with all its shards"
        )
    return False


class RangeFile(io.RawIOBase):
    """A range of a stored file, to be read like a file of its own."""

    def __init__(self, storage: Storage, name: str, place: Range) -> None:
        self._storage, self._name, self._place, self._at = storage, name, place, 0

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to an offset from the range's start, from here, or from its end."""
        self._at = max(
            0, offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._place[1]}[whence]
        )
        return self._at

    def tell(self) -> int:
        """Tell the offset from the range's start."""
        return self._at

    def readinto(self, buffer: Any) -> int:
        """Fill ``buffer`` as far as the range goes."""
        first, count = self._place
        wanted = max(0, min(len(buffer), count - self._at))
        (found,) = self._storage.read([(self._name, first + self._at, wanted)]) if wanted else (b"",)
        buffer[: len(found)] = found
        self._at += len(found)
        return len(found)
