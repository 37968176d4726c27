"""A folder of results that appears whole or not at all."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from animate.errors import UserError
from animate.video import atomic

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def check_folder(target: Path, marker: str, overwrite: bool, switch: str = "--overwrite") -> None:
    """Raise ``UserError`` where a folder of results could not be put.

    Rules: the folder it goes to must exist; an empty folder is used; one that holds something is replaced
    with ``overwrite``, and only if it holds ``marker``, the file by which we know that we made it.
    """
    if not target.parent.is_dir():
        raise UserError(f"{target}: the folder {target.parent} does not exist; create it first")
    if not os.access(target.parent, os.W_OK):
        raise UserError(f"{target}: the folder {target.parent} cannot be written; choose another place")
    if not target.exists():
        return
    if not target.is_dir():
        raise UserError(f"{target} is a file; name a folder")
    if not any(target.iterdir()):
        return
    if not overwrite:
        raise UserError(f"{target} is not empty; name another folder or allow overwriting it ({switch})")
    if not (target / marker).is_file():
        raise UserError(f"{target} holds something else than results (no {marker}); name another folder")


@contextmanager
def results_folder(target: Path, marker: str, overwrite: bool) -> Iterator[Path]:
    """Yield a temporary folder beside ``target``; put it there on success, remove it on any exception.

    Raises:
        UserError: see :func:`check_folder`; or the place cannot be written.

    """
    check_folder(target, marker, overwrite)
    temporary = atomic.temporary_name(target)
    try:
        temporary.mkdir()
        yield temporary
        _put(temporary, target)
    except OSError as error:
        raise atomic.explain(target, error) from error
    finally:
        atomic.discard(temporary)


def _put(temporary: Path, target: Path) -> None:
    """Move the new folder to its place; the old one is out of the way for a moment, and removed at last."""
    if not target.exists():
        temporary.rename(target)
        return
    old = atomic.temporary_name(target)
    target.rename(old)
    temporary.rename(target)
    atomic.discard(old)
