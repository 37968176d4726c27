"""One process at a time, by a lock that ends with its process however that ends."""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING

from animate.errors import UserError

try:
    import fcntl
except ImportError:  # Windows: two processes on one thing at once are the user's affair
    HAS_LOCKS = False
else:
    HAS_LOCKS = True

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def alone(place: Path, busy: str) -> Iterator[None]:
    """Hold a lock; its file is there only meanwhile, or until it is held again when the process was killed.

    Args:
        place: of the lock's file, in a folder that is there.
        busy: what to say when another process holds it.

    Raises:
        UserError: another process holds it.
        OSError: the file cannot be made.

    """
    if not HAS_LOCKS:
        yield
        return
    with _held(place, busy) as file:
        try:
            yield
        finally:
            if _lies_at(file, place):
                with suppress(OSError):
                    place.unlink()


def _held(place: Path, busy: str) -> IO[str]:
    while True:
        file = place.open("a")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            raise UserError(busy) from None
        except OSError:  # a file system without locks: as on Windows
            return file
        if _lies_at(file, place):
            return file
        file.close()  # whoever held it has taken the file away since it was opened


def _lies_at(file: IO[str], place: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), place.stat())
    except OSError:
        return False
