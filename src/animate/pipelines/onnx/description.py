"""``model.json``: what an exported model says about itself."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from animate import __version__, safe_json
from animate.checkpoints.architectures import ARCHITECTURES
from animate.checkpoints.description import source_revision
from animate.checkpoints.keys import printable
from animate.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path

MARKER = "model.json"
FORMAT = 1
"""Raised when an older ``animate`` could not read the folder any more."""
LARGEST = 1 << 20
"""Bytes of the largest description that is read."""


@dataclass(frozen=True, slots=True)
class FileSum:
    """How a file is known again."""

    bytes: int
    sha256: str

    @classmethod
    def of(cls, path: Path) -> FileSum:
        """Look at a file."""
        with path.open("rb") as stream:
            return cls(path.stat().st_size, hashlib.file_digest(stream, "sha256").hexdigest())


@dataclass(frozen=True, slots=True)
class PictureError:
    """How far pictures are from those of torch in float32, on [0, 1]."""

    mean: float
    """Of the absolute differences."""
    largest: float
    psnr: float | None
    """In dB; None where there is no difference."""
    frames: int
    measured_on: str
    """Which pictures or poses went in."""


@dataclass(frozen=True, slots=True)
class Exported:
    """A model in ONNX files."""

    architecture: str
    """A key of ``ARCHITECTURES``."""
    networks: dict[str, Any]
    """Every argument of the networks."""
    precision: str
    opset: int
    origin: str
    """The name of the checkpoint; the licence of the weights is the one of that."""
    origin_sha256: str
    files: dict[str, FileSum]
    """By name without suffix."""
    float32_error: dict[str, float]
    """Largest difference of each file's float32 form from torch, of numbers beyond 1 relative to them."""
    picture_error: PictureError

    def write(self, folder: Path) -> None:
        """Write ``model.json``."""
        told = {"format": FORMAT, "version": __version__, "revision": source_revision(), **asdict(self)}
        (folder / MARKER).write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")


def arguments_of(folder: Path, architecture: str) -> dict[str, Any]:
    """Read what the model in a folder is made of, and check that its files are whole.

    Args:
        folder: of ``animate export --format onnx``.
        architecture: what it must be.

    Returns:
        The networks' arguments, all of them known and in range.

    Raises:
        UserError: it is no such folder, of another method, of a newer format, or damaged.

    """
    told = _read(folder)
    number = told.get("format")
    if type(number) is not int or number != FORMAT:
        raise UserError(
            f"{folder} has format {number!r:.40}, and this is animate {__version__}, which reads {FORMAT}:"
            " update animate, or export the model again"
        )
    found = str(told.get("architecture"))
    if found != architecture:
        raise UserError(f"{folder} holds a model of {printable(found)[:40]}; this works with {architecture}")
    files = told.get("files")
    if not isinstance(files, Mapping) or not files:
        raise UserError(f"{folder / MARKER} lists no files; export the model again")
    for name, known in files.items():
        _check(folder, name, known)
    return ARCHITECTURES[architecture].networks.complete(told.get("networks"), str(folder / MARKER))


def _read(folder: Path) -> Mapping[str, Any]:
    path = folder / MARKER
    if not path.is_file():
        raise UserError(
            f"{folder} is no exported model (a folder with {MARKER}); make one: animate export --format onnx"
        )
    if path.stat().st_size > LARGEST:
        raise UserError(f"{path} is no description of a model: it has {path.stat().st_size} bytes")
    try:
        told = safe_json.loads(path.read_bytes())
    except ValueError as error:
        raise UserError(f"{path} is no JSON, or damaged; export the model again") from error
    if not isinstance(told, Mapping):
        raise UserError(f"{path} describes no model; export the model again")
    return told


def _check(folder: Path, name: str, known: object) -> None:
    """Compare a file with what is written of it. Its name is never followed out of the folder."""
    if not name.isidentifier() or not isinstance(known, Mapping):
        raise UserError(f"{folder / MARKER} names a file {printable(name)[:40]!r}; export the model again")
    path = folder / f"{name}.onnx"
    if not path.is_file():
        raise UserError(f"{path} is missing; copy the whole folder, or export the model again")
    if path.stat().st_size != known.get("bytes") or asdict(FileSum.of(path)) != dict(known):
        raise UserError(f"{path} is not as it was exported; copy the folder again, or export the model again")
