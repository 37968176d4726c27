"""By what it is seen that a file is still as it was."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

Stamp = tuple[int, int]


def stamp(path: Path) -> Stamp:
    """Size in bytes and modification time in nanoseconds; of a folder, what its listing changes."""
    status = path.stat()
    return status.st_size, status.st_mtime_ns
