"""What back-ends rest on: optional libraries, weights, and the licences of these."""

from __future__ import annotations

import hashlib
import importlib
import multiprocessing
import sys
from typing import TYPE_CHECKING, Any

from animate.checkpoints.packaged import PACKAGED, locate
from animate.checkpoints.weights import WEIGHTS, fetch
from animate.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path

    from animate.checkpoints.packaged import PackagedFile
    from animate.checkpoints.weights import PretrainedFile

DIGITS = 8
"""How many digits of a file's SHA-256 stand in a version."""
_shown: set[str] = set()


def library(module: str, extra: str) -> Any:
    """Import an optional library.

    Raises:
        UserError: it is not installed, or does not import; the message names the extra.

    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        missing = isinstance(error, ModuleNotFoundError) and error.name == module
        reason = "is not installed" if missing else f"cannot be imported ({error})"
        raise UserError(f"the library {module} {reason}: pip install 'animate[{extra}]'") from error


def packaged_weights(name: str) -> Path:
    """Find weights that come with a package, and show their licence; see ``packaged.locate``."""
    path = locate(PACKAGED[name])
    show_licence(PACKAGED[name])
    return path


def pretrained_weights(name: str) -> Path:
    """Find or download weights, their licence being shown before; see ``weights.fetch``."""
    show_licence(WEIGHTS[name])
    return fetch(name, progress=_in_main_process())


def show_licence(file: PretrainedFile | PackagedFile) -> None:
    """Tell the licence of weights in one line on stderr: once, and not again in worker processes."""
    if file.file_name in _shown or not _in_main_process():
        return
    _shown.add(file.file_name)
    warning = f"; restricted: {file.restriction}" if file.restriction else ""
    print(f"weights {file.file_name}: licence {file.licence}{warning}", file=sys.stderr)


def digest(path: Path) -> str:
    """Return the first digits of a file's SHA-256, for a version."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()[:DIGITS]


def _in_main_process() -> bool:
    return multiprocessing.parent_process() is None
