"""Reading and writing checkpoint files: safe, whole or not at all, and errors in one line."""

from __future__ import annotations

import io
import os
import pickle
import re
import shutil
import warnings
import zipfile
from contextlib import contextmanager
from secrets import token_hex
from typing import TYPE_CHECKING, Any, BinaryIO

import torch

from animate.checkpoints.keys import printable
from animate.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

HEAD = 512
"""Bytes that are looked at to tell a text file from a binary one."""
ZIP = b"PK\x03\x04"
_ZIP_WRITER = "inline_container.cc"  # in the message when torch's zip writer could not write
CUT_SHORT = "it ends too early; copy or download it again"


class UnsafePickleError(UserError):
    """The file needs Python's full unpickler, which can run code that stands in the file."""


def read(path: Path, *, allow_pickle: bool = False) -> dict[str, Any]:
    """Read a torch checkpoint onto the CPU: the zip format, the older pickle stream, the oldest tar.

    Args:
        path: The file. Tensors of a zip file are mapped, not read: parts that nobody looks at (optimisers)
            cost nothing.
        allow_pickle: Fall back to the full unpickler, which runs code that a file may hold.

    Raises:
        UnsafePickleError: The safe reader met something else than tensors and plain values.
        UserError: The file is missing, unreadable, not a checkpoint or damaged.

    """
    _refuse_what_is_no_file(path)
    try:
        checkpoint = _torch_load(path, weights_only=True)
    except UnsafePickleError:
        if not allow_pickle:
            raise
        checkpoint = _torch_load(path, weights_only=False)
    if not isinstance(checkpoint, dict):
        raise UserError(f"{path} holds a {type(checkpoint).__name__}, not a checkpoint (a dictionary)")
    return checkpoint


def write(path: Path, checkpoint: Mapping[str, Any]) -> None:
    """Write a checkpoint under a temporary name beside ``path``, then move it there.

    Raises:
        UserError: The place cannot be written to; nothing is left there and an older file stays as it was.

    """
    try:
        with replacing(path) as out:
            torch.save(dict(checkpoint), out)
    except (OSError, RuntimeError) as error:
        reason = _why_not_written(error)
        if reason is None:
            raise
        raise UserError(
            f"cannot write {path}: {reason}; {_room(path, checkpoint)}; nothing was left there"
        ) from error


def _room(path: Path, checkpoint: Mapping[str, Any]) -> str:
    """Compare what a checkpoint takes with what is free, now that nothing of it is left."""
    counter = _Counter()
    torch.save(dict(checkpoint), counter)
    takes, free = counter.written / 2**20, shutil.disk_usage(path.parent).free / 2**20
    return f"it takes {takes:.1f} MiB where {free:.1f} MiB are free"


class _Counter(io.BytesIO):
    """A file that keeps nothing but the number of its bytes."""

    written = 0

    def write(self, content: Any) -> int:
        """Count."""
        self.written += len(content)
        return len(content)


def _why_not_written(error: OSError | RuntimeError) -> str | None:
    """Tell what the system refused; None for a defect of ours, such as a value that cannot be saved."""
    # torch's zip writer turns the file's own error (disk full) into a RuntimeError about positions.
    cause = error if isinstance(error, OSError) else error.__context__
    if isinstance(cause, OSError):
        return cause.strerror or str(cause)
    return "the disk may be full" if _ZIP_WRITER in str(error) else None


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Open a temporary file beside ``path``; moved there after a clean exit, removed after an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent / f".{path.name}.{token_hex(4)}.part"
    try:
        with temporary.open("xb") as out:
            yield out
            out.flush()
            os.fsync(out.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)  # gone already after a success


def _refuse_what_is_no_file(path: Path) -> None:
    try:
        with path.open("rb") as stream:
            head = stream.read(HEAD)
    except IsADirectoryError as error:
        raise UserError(f"{path} is a folder, not a checkpoint file; name the .ckpt file inside") from error
    except (FileNotFoundError, NotADirectoryError) as error:
        raise UserError(f"there is no checkpoint {path}") from error
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    if not head:
        raise UserError(f"{path} is empty, not a checkpoint")
    if head.startswith(ZIP):
        _refuse_what_would_swell(path)
    if _is_text(head):
        raise UserError(f"{path} is a text file, not a checkpoint (a failed download is often a web page)")


def _refuse_what_would_swell(path: Path) -> None:
    """Refuse an archive whose members are larger than it: torch compresses none and lets none overlap."""
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(member.file_size for member in archive.infolist())
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise UserError(f"{path} is not a whole checkpoint: {CUT_SHORT}") from error
    if size > path.stat().st_size:
        raise UserError(
            f"{path} would swell to {size} bytes: torch writes no compressed archives; unzip it, or copy or "
            "download it again"
        )


def _is_text(head: bytes) -> bool:
    """Tell whether the first bytes are text; a character cut at the end does not count."""
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(head) - 3:
            return False
        text = head[: error.start].decode("utf-8")
    return all(character.isprintable() or character.isspace() for character in text)


def _torch_load(path: Path, *, weights_only: bool) -> object:
    """Load with every way of failing told in one line."""
    try:
        # A damaged stream makes the unpickler raise nearly anything: KeyError, EOFError, struct.error, ...
        with warnings.catch_warnings():
            # On a damaged file torch warns of odd pickles first; the error that follows says it all.
            warnings.simplefilter("ignore", UserWarning)
            mapped = zipfile.is_zipfile(path)
            return torch.load(path, map_location="cpu", weights_only=weights_only, mmap=mapped)
    except Exception as error:
        if weights_only and (what := _unsafe_part(error)):
            raise UnsafePickleError(f"{path} holds more than tensors and plain values ({what})") from error
        if isinstance(error, ImportError):
            raise UserError(f"{path} needs a Python package that is not here: {error}") from error
        reason = printable(str(error).strip().split("\n")[0][:120]) or type(error).__name__
        raise UserError(f"{path} is not a checkpoint, or it is damaged: {_in_our_words(reason)}") from error


def _unsafe_part(error: Exception) -> str | None:
    """Name what the safe reader refused; None when the file simply cannot be read."""
    text = str(error)
    if "legacy .tar" in text:
        return "torch's oldest format, a tar file of pickles"
    if not isinstance(error, pickle.UnpicklingError):
        return None
    found = re.search(r"(?:GLOBAL|class|function) ([A-Za-z_][\w.]*)", text)
    return found.group(1) if found else None


def _in_our_words(reason: str) -> str:
    if reason.startswith("Weights only load failed"):
        return "its pickle stream makes no sense"
    if "can't allocate memory" in reason:
        return "it claims more memory than there is"
    return CUT_SHORT if "unexpected EOF" in reason else reason
