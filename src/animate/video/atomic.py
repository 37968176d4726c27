"""Outputs appear whole or not at all: written beside their target, moved when complete, removed otherwise."""

from __future__ import annotations

import glob
import hashlib
import os
import re
import secrets
import shutil
import socket
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from animate.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator

_STILL_GROWING = 3600.0  # seconds
_PROCESS = re.compile(r"\.([0-9a-f]{6})-(\d+)-[0-9a-f]{8}\.part")


def destination(target: Path) -> Path:
    """Follow the links of a target to the place where it really is, or will be.

    What is moved comes from beside that place: beside a link may be another disk, and the link would be lost.

    Raises:
        UserError: the links lead in a circle.

    """
    place = Path(os.path.realpath(target))
    if place.is_symlink():
        raise UserError(f"{target} is a link that leads in a circle; remove it or choose another name")
    return place


def temporary_name(target: Path) -> Path:
    """Make up a free name in the target's folder; hidden, and with the target's suffix.

    It tells the machine and the process, so that what a killed one has left is known for that. What is to
    be moved to the target needs a name beside its :func:`destination`.
    """
    unique = f"{_machine()}-{os.getpid()}-{secrets.token_hex(4)}"
    return target.with_name(f".{target.stem[:80]}.{unique}.part{target.suffix}")


def _machine() -> str:
    return hashlib.sha256(socket.gethostname().encode()).hexdigest()[:6]


def check_target(target: Path, overwrite: bool) -> None:
    """Raise ``UserError`` where a file could not be put, before any work is done.

    Rules: the folder it goes to must exist and be writable (it is not created: a slip in a long name would
    leave a tree behind); an existing file is replaced with ``overwrite`` only; a link stays, and the file
    goes to where it leads.
    """
    folder = destination(target).parent
    if not folder.is_dir():
        raise UserError(f"{target}: the folder {folder} does not exist; create it first")
    if not os.access(folder, os.W_OK):
        raise UserError(f"{target}: the folder {folder} cannot be written; choose another place")
    if target.is_dir():
        raise UserError(f"{target} is a folder; name a file")
    if target.exists() and not overwrite:
        raise UserError(f"{target} exists; choose another name or allow overwriting it (--overwrite)")


def check_replaceable(target: Path) -> None:
    """Raise ``UserError`` for a folder that cannot be put in place of another: programs are at work in it."""
    here = Path.cwd().resolve()
    if destination(target) in (here, *here.parents):
        raise UserError(
            f"{target} is the folder that this command runs in, or one that it lies in, and cannot be"
            " replaced; name a new folder"
        )


def explain(target: Path, error: OSError) -> UserError:
    """Say in one line why a write failed: no permission, a full disk and so on."""
    reason = error.strerror or str(error)
    return UserError(f"{target} cannot be written: {reason}; choose another place or make room")


@contextmanager
def temporary_file(target: Path) -> Iterator[Path]:
    """Yield a temporary name beside ``target``; move it there on success, remove it on any exception.

    A link is replaced: it may lie in a folder that somebody else has made, and lead anywhere. Where the user
    has named the target, it is for the caller to give its :func:`destination`.

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


def sweep(folder: Path, suffix: str, stem: str = "") -> None:
    """Remove what processes that were killed have left half-written in a folder.

    What a process of this machine began that is no more goes at once; of all else, what was touched within
    the last hour may still grow, and stays.

    Args:
        folder: where files, or folders, of the suffix appear under a :func:`temporary_name`.
        suffix: of these.
        stem: of one target; of any without it.

    """
    name = f"{glob.escape(stem[:80])}.*" if stem else "*"
    for path in folder.glob(f".{name}.part{glob.escape(suffix)}"):
        with suppress(OSError):
            if _forsaken(path):
                discard(path)


def _forsaken(path: Path) -> bool:
    """Tell whether nobody writes a temporary file any more."""
    process = _PROCESS.search(path.name)
    if process is not None and process[1] == _machine() and not _runs(int(process[2])):
        return True
    return time.time() - path.lstat().st_mtime > _STILL_GROWING


def _runs(process: int) -> bool:
    """Tell whether a process of this machine is there; what cannot be found out is taken for a yes."""
    if sys.platform == "win32":  # where this signal ends a process
        return True
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return not _is_over(process)


def _is_over(process: int) -> bool:
    """Tell a process that has ended and that nobody has asked for its exit code, as in many containers."""
    try:
        told = Path(f"/proc/{process}/stat").read_text("utf-8", "replace")
    except OSError:  # it has gone, or this is no Linux
        return False
    return told.rpartition(")")[2].split()[0] == "Z"


def discard(temporary: Path) -> None:
    """Remove a temporary file or folder, if it is there; of a link, only the link."""
    if temporary.is_dir() and not temporary.is_symlink():
        shutil.rmtree(temporary, ignore_errors=True)
    else:
        temporary.unlink(missing_ok=True)
