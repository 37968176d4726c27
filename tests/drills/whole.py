"""Whether files are whole, and what they hold in a form that can be compared."""

from __future__ import annotations

import csv
import hashlib
import json
import tarfile
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import yaml

from animate.video.decode import stream
from animate.video.image import read_image

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Reader = Callable[[Path], str]


def contents(folder: Path) -> dict[str, str]:
    """Read every file that is there under its own name to the end, and digest what it holds.

    Names that begin with a dot are temporary.

    Raises:
        Exception: a file is torn.

    """
    found = {}
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder).parts
        if path.is_file() and not any(part.startswith(".") for part in inside):
            try:
                found["/".join(inside)] = READERS.get(path.suffix, _bytes)(path)
            except Exception as error:
                raise AssertionError(f"torn: {path}: {error}") from error
    return found


def temporaries(folder: Path) -> list[str]:
    """Name what is left under temporary names."""
    hidden = (path for path in folder.rglob(".*") if not path.name.startswith(".animate-"))
    return sorted(str(path.relative_to(folder)) for path in hidden)


def _bytes(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _checkpoint(path: Path) -> str:
    digest = hashlib.sha256()
    _feed(digest, torch.load(path, weights_only=True))
    return digest.hexdigest()


def _feed(digest: Any, value: Any) -> None:
    """Take tensors by their bytes, all else as it is printed."""
    if isinstance(value, torch.Tensor):
        digest.update(value.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    elif isinstance(value, dict):
        for key in sorted(value, key=str):
            digest.update(str(key).encode())
            _feed(digest, value[key])
    elif isinstance(value, (list, tuple)):
        for part in value:
            _feed(digest, part)
    else:
        digest.update(repr(value).encode())


def _curves(path: Path) -> str:
    """Give the log without what depends on the clock."""
    text = path.read_text()
    assert text.endswith("\n"), "the last row is cut short"
    rows = list(csv.DictReader(text.splitlines()))
    assert all(None not in row and None not in row.values() for row in rows), "a row is cut short"
    kept = [{key: row[key] for key in sorted(row) if row[key] and not key.startswith("sys/")} for row in rows]
    return json.dumps([row for row in kept if len(row) > 1])


def _arrays(path: Path) -> str:
    digest = hashlib.sha256()
    with np.load(path, allow_pickle=False) as arrays:
        for name in sorted(arrays.files):
            digest.update(name.encode() + arrays[name].tobytes())
    return digest.hexdigest()


def _frames(path: Path) -> str:
    digest = hashlib.sha256()
    for frame in stream(path):
        digest.update(frame.image.tobytes())
    return digest.hexdigest()


def _picture(path: Path) -> str:
    return hashlib.sha256(read_image(path).tobytes()).hexdigest()


def _settings(path: Path) -> str:
    """Parse only: a config holds the names of folders."""
    assert isinstance(yaml.safe_load(path.read_text()), dict)
    return "settings"


def _json(path: Path) -> str:
    json.loads(path.read_text())
    return _bytes(path)


def _json_lines(path: Path) -> str:
    for line in path.read_text().splitlines():
        json.loads(line)
    return _bytes(path)


def _archive(path: Path) -> str:
    with tarfile.open(path) as archive:
        assert archive.getmembers(), "it is empty"
    assert not path.stat().st_size % tarfile.BLOCKSIZE, "it is cut short"
    return _bytes(path)


READERS: dict[str, Reader] = {
    ".ckpt": _checkpoint,
    ".csv": _curves,
    ".npz": _arrays,
    ".mp4": _frames,
    ".png": _picture,
    ".yaml": _settings,
    ".json": _json,
    ".jsonl": _json_lines,
    ".tar": _archive,
}
