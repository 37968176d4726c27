"""Outputs appear whole or not at all: written beside their target, moved when complete, removed otherwise."""

from __future__ import annotations

import os
import secrets
import shutil
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from animate.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_STILL_GROWING = 3600.0  # seconds


def temporary_name(target: Path) -> Path:
    """Make up a free name in the target's folder; hidden, and with the target's suffix."""
    return target.with_name(f".{target.stem[:80]}.{secrets.token_hex(4)}.part{target.suffix}")


def check_target(target: Path, overwrite: bool) -> None:
    """Raise ``UserError`` where a file could not be put, before any work is done.

    Rules: the folder it goes to must exist and be writable (it is not created: a slip in a long name would
    leave a tree behind); an existing file is replaced with ``overwrite`` only.
    """
    if not target.parent.is_dir():
        raise UserError(f"{target}: the folder {target.parent} does not exist; create it first")
    if not os.access(target.parent, os.W_OK):
        raise UserError(f"{target}: the folder {target.parent} cannot be written; choose another place")
    if target.is_dir():
        raise UserError(f"{target} is a folder; name a file")
    if target.exists() and not overwrite:
        raise UserError(f"{target} exists; choose another name or allow overwriting it (--overwrite)")


def explain(target: Path, error: OSError) -> UserError:
    """Say in one line why a write failed: no permission, a full disk and so on."""
    reason = error.strerror or str(error)
    return UserError(f"{target} cannot be written: {reason}; choose another place or make room")


@contextmanager
def temporary_file(target: Path) -> Iterator[Path]:
    """Yield a temporary name beside ``target``; move it there on success, remove it on any exception.

    Raises:
        UserError: the folder is missing, the place cannot be written, the disk is full.

    """
    check_target(target, overwrite=True)
    temporary = temporary_name(target)
    try:
        yield temporary
        os.replace(temporary, target)  # noqa: PTH105  the same on a file that exists, on every system
    except OSError as error:
        raise explain(target, error) from error
    finally:
        discard(temporary)


def sweep(folder: Path, suffix: str) -> None:
    """Remove what processes that were killed have left half-written in a folder.

    Args:
        folder: where files of the suffix appear, by :func:`temporary_file`.
        suffix: of these files. What was touched within the last hour may still grow, and stays.

    """
    for path in folder.glob(f".*.part{suffix}"):
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > _STILL_GROWING:
                path.unlink()


def discard(temporary: Path) -> None:
    """Remove a temporary file or folder, if it is there."""
    if temporary.is_dir():
        shutil.rmtree(temporary, ignore_errors=True)
    else:
        temporary.unlink(missing_ok=True)
