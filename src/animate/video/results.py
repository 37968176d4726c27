"""A folder of results that appears whole or not at all.

In it lies a hidden listing of the files that we put there, so that a folder which is replaced takes nothing
with it that somebody else has put there since.
"""

from __future__ import annotations

import json
import os
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from animate.errors import UserError
from animate.safe_json import loads
from animate.video import atomic

if TYPE_CHECKING:
    from collections.abc import Iterator

LISTING = ".animate-results"
"""JSON: the paths of all files in the folder, relative and with slashes. Never opened, only compared."""
_OURS = (".animate-", "..animate-")  # index caches, made in reading; half-written ones


def check_folder(target: Path, overwrite: bool, switch: str = "--overwrite") -> None:
    """Raise ``UserError`` where a folder of results could not be put.

    Rules: the folders it lies in are made when it is (:func:`parents`); an empty folder is used; one that
    holds something is replaced with ``overwrite``, and only if we made it and no other file is in it; never
    one that programs are at work in. A link stays, and the folder goes to where it leads.
    """
    atomic.check_replaceable(target)
    place = atomic.destination(target)
    there = next(folder for folder in place.parents if folder.exists())
    if not there.is_dir():
        raise UserError(f"{target}: {there} is no folder; choose another place")
    if not os.access(there, os.W_OK):
        raise UserError(f"{target}: the folder {there} cannot be written; choose another place")
    if not place.exists():
        return
    if not place.is_dir():
        raise UserError(f"{target} is a file; name a folder")
    try:
        if any(place.iterdir()):
            _check_contents(place, target, overwrite, switch)
    except OSError as error:
        raise UserError(f"{target} cannot be read: {error.strerror}; name another folder") from error


def _check_contents(place: Path, target: Path, overwrite: bool, switch: str) -> None:
    if not overwrite:
        raise UserError(f"{target} is not empty; name another folder or allow overwriting it ({switch})")
    listed = _listed(place)
    if listed is None:
        raise UserError(f"{target} holds something else than results (no {LISTING}); name another folder")
    if others := sorted(_files(place) - listed):
        raise UserError(
            f"{target} holds {_printable(others[0])}, which is not of the results; move it away or name"
            " another folder"
        )


def _listed(folder: Path) -> set[str] | None:
    """Read what we have put into a folder; None where it does not say so."""
    listing = folder / LISTING
    if listing.is_symlink() or not listing.is_file():
        return None
    try:
        names = loads(listing.read_bytes())
    except ValueError:
        return None
    return {name for name in names if isinstance(name, str)} if isinstance(names, list) else None


def _files(folder: Path) -> set[str]:
    """Name all that is in a folder and no folder itself, but our hidden files; links are not followed."""
    found = set()
    for place, folders, files in os.walk(folder, onerror=_refuse):
        links = [name for name in folders if Path(place, name).is_symlink()]
        names = [name for name in (*files, *links) if not name.startswith(_OURS)]
        found |= {Path(place, name).relative_to(folder).as_posix() for name in names}
    return found


def _refuse(error: OSError) -> None:
    """Do not pass over a folder that cannot be read."""
    raise error


def _printable(name: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in name)


@contextmanager
def results_folder(target: Path, overwrite: bool) -> Iterator[Path]:
    """Yield a temporary folder beside ``target``; put it there on success, remove it on any exception.

    Raises:
        UserError: see :func:`check_folder`, before the block, and after it, when what was made is put beside
            the target; or the place cannot be written.

    """
    check_folder(target, overwrite)
    place = atomic.destination(target)
    temporary = atomic.temporary_name(place)
    atomic.sweep(place.parent, place.suffix, place.stem)
    with parents(place):
        try:
            temporary.mkdir()
            yield temporary
            (temporary / LISTING).write_text(json.dumps(sorted(_files(temporary)), indent=0) + "\n", "utf-8")
            _check_again(target, overwrite, place, temporary)
            _put(temporary, place)
        except OSError as error:
            raise atomic.explain(target, error) from error
        finally:
            atomic.discard(temporary)


def _check_again(target: Path, overwrite: bool, place: Path, made: Path) -> None:
    """Look once more, as work takes hours; beside a target that may not be replaced goes what was made."""
    try:
        check_folder(target, overwrite)
    except UserError as error:
        names = (place.with_name(f"{place.name}_{number}") for number in count(2))
        beside = next(name for name in names if not os.path.lexists(name))
        made.rename(beside)
        raise UserError(f"{error}; what was made is in {beside}") from None


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
    try:
        temporary.rename(target)
    except OSError:
        old.rename(target)
        raise
    atomic.discard(old)
