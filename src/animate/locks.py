"""One process at a time, of all on this machine and on others that share the disk.

A lock is the system's and ends with the processes that hold it, however those end: none is ever stale.
Where there are none (Windows, some network drives) nobody is kept out.
"""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING

from animate.errors import UserError

try:
    import fcntl
except ImportError:  # Windows
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


@contextmanager
def in_turn(place: Path, waiting: str) -> Iterator[IO[str]]:
    """Hold a lock as soon as no other process does; its file stays, as others may wait for it.

    Args:
        place: of the lock's file, in a folder that is there.
        waiting: what to print when it takes a while.

    Yields:
        The file: a process that inherits it holds the lock as well.

    Raises:
        OSError: the file cannot be made.

    """
    with place.open("a") as file:
        if HAS_LOCKS:
            with suppress(OSError):
                _wait_for(file, waiting)
        yield file


def _wait_for(file: IO[str], waiting: str) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print(waiting, file=sys.stderr, flush=True)
        fcntl.flock(file, fcntl.LOCK_EX)


def _held(place: Path, busy: str) -> IO[str]:
    while True:
        file = place.open("a")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            raise UserError(busy) from None
        except OSError:
            return file
        if _lies_at(file, place):
            return file
        file.close()  # whoever held it has taken the file away since it was opened


def _lies_at(file: IO[str], place: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), place.stat())
    except OSError:
        return False
