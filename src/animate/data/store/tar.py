"""A tar file that is written member by member, without a list of them in memory."""

from __future__ import annotations

import hashlib
import os
import tarfile
from typing import TYPE_CHECKING, Self

from animate.data.store.layout import File, Range

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_BLOCK = tarfile.BLOCKSIZE
_CHUNK = 1 << 20


class TarWriter:
    """Writes a tar file, and tells where in it each member lies. A context manager.

    Args:
        path: a new file.

    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")
        self._digest = hashlib.blake2b(digest_size=16)
        self._size = 0

    def add(self, name: str, content: bytes) -> Range:
        """Write a member; return the range of its content."""
        return self._add(name, len(content), [content])

    def add_file(self, name: str, path: Path) -> Range:
        """Write a file as a member, piece by piece; return the range of its content."""
        with path.open("rb") as file:
            return self._add(name, os.fstat(file.fileno()).st_size, iter(lambda: file.read(_CHUNK), b""))

    def finish(self) -> File:
        """Write the end of the archive, and wait until all is on the disk; tell what the file is."""
        self._write(bytes(2 * _BLOCK))
        self._file.flush()
        os.fsync(self._file.fileno())
        return File(self._size, self._digest.hexdigest())

    def _add(self, name: str, size: int, content: Iterable[bytes]) -> Range:
        member = tarfile.TarInfo(name)  # its fixed date makes equal stores equal files
        member.size = size
        self._write(member.tobuf(tarfile.PAX_FORMAT))
        first = self._size
        for piece in content:
            self._write(piece)
        if self._size - first != size:
            raise OSError(f"{name} changed while it was stored")
        self._write(bytes(-size % _BLOCK))
        return first, size

    def _write(self, content: bytes) -> None:
        self._file.write(content)
        self._digest.update(content)
        self._size += len(content)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
