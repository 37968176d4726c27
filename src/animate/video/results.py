"""A folder of results that appears whole or not at all."""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from animate.errors import UserError
from animate.video import atomic

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def check_folder(target: Path, marker: str, overwrite: bool, switch: str = "--overwrite") -> None:
    """Raise ``UserError`` where a folder of results could not be put.

    Rules: the folders it lies in are made when it is (:func:`parents`); an empty folder is used; one that
    holds something is replaced with ``overwrite``, and only if it holds ``marker``, the file by which we know
    that we made it.
    """
    there = next((folder for folder in target.parents if folder.exists()), target.parent)
    if not there.is_dir():
        raise UserError(f"{target}: {there} is no folder; choose another place")
    if not os.access(there, os.W_OK):
        raise UserError(f"{target}: the folder {there} cannot be written; choose another place")
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
    atomic.sweep(target.parent, target.suffix, target.stem)
    with parents(target):
        try:
            temporary.mkdir()
            yield temporary
            _put(temporary, target)
        except OSError as error:
            raise atomic.explain(target, error) from error
        finally:
            atomic.discard(temporary)


@contextmanager
def parents(target: Path) -> Iterator[None]:
    """Make the folders that a target lies in; those that hold nothing at the end are taken away again.

    Raises:
        UserError: they cannot be made.

    """
    made = [folder for folder in target.parents if not folder.exists()]
    try:
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise atomic.explain(target, error) from error
        yield
    finally:
        for folder in made:
            with suppress(OSError):  # it holds something, or could not be made
                folder.rmdir()


def _put(temporary: Path, target: Path) -> None:
    """Move the new folder to its place; the old one is out of the way for a moment, and removed at last."""
    if not target.exists():
        temporary.rename(target)
        return
    old = atomic.temporary_name(target)
    target.rename(old)
    temporary.rename(target)
    atomic.discard(old)
