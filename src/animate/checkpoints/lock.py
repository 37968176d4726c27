"""One process at a time, of all on this machine and on others that share the disk."""

from __future__ import annotations

import sys
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING

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
def alone_with(target: Path) -> Iterator[None]:
    """Wait until no other process is in this block for the same file.

    The lock is the system's and ends with the process that holds it, however that ends: none is ever stale.
    Its empty file ``.<name>.lock`` stays, because who removed it would pull it from under those who wait.
    Where there are no such locks (Windows, some network drives) nobody waits.

    Raises:
        OSError: the folder cannot be written to.

    """
    with target.with_name(f".{target.name}.lock").open("a") as file:
        if HAS_LOCKS:
            with suppress(OSError):
                _wait_for(file, target.name)
        yield


def _wait_for(file: IO[str], name: str) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print(f"waiting for another process that is downloading {name}", file=sys.stderr, flush=True)
        fcntl.flock(file, fcntl.LOCK_EX)
