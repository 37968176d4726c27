"""The index on disk: what was learned about each file, until the file changes.

Two lines of JSON, ``.animate-index.json`` in the data folder, or in the user's cache folder when that is
read-only. Entries are keyed by relative path, size and modification time. A cache that cannot be read, or
that another version or other settings wrote, is ignored and written anew: it never is a reason to stop.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from animate import __version__, safe_json
from animate.data.layouts import Facts
from animate.data.packed import PackedInfo
from animate.video.atomic import discard, sweep, temporary_name

if TYPE_CHECKING:
    from animate.data.stamp import Stamp

FORMAT = 2
CACHE_NAME = ".animate-index.json"
_log = logging.getLogger(__name__)


class IndexCache:
    """Facts by relative path.

    Args:
        root: The folder that the paths are relative to.
        name: File name of the cache.
        settings: What the facts depend on besides the files; a cache with other settings is not used.

    """

    def __init__(self, root: Path, name: str = CACHE_NAME, settings: str = "") -> None:
        own = _user_folder() / f"{_digest(os.fsencode(root.resolve()))}{name}"
        self._places = (root / name, own) if _is_writable(root) else (own,)
        self._header = {"format": FORMAT, "version": __version__, "settings": settings}
        self._old = self._load()
        self._new: dict[str, tuple[Stamp, Facts]] = {}

    def get(self, name: str, at: Stamp) -> Facts | None:
        """Return what is known about the file ``name`` if it still is as it was."""
        entry = self._old.get(name)
        if entry is None or entry[0] != at:
            return None
        self._new[name] = entry
        return entry[1]

    def put(self, name: str, at: Stamp, facts: Facts) -> None:
        """Remember what was learned."""
        self._new[name] = (at, facts)

    def save(self) -> None:
        """Write what was got or put since the start, if that is new; the rest has gone from the disk."""
        if self._new == self._old:
            return
        entries = {name: [*at, *facts] for name, (at, facts) in sorted(self._new.items())}
        body = json.dumps(entries)
        text = json.dumps({**self._header, "digest": _digest(body.encode())}) + "\n" + body + "\n"
        for place in self._places:
            try:
                _write(place, text)
            except OSError as error:
                _log.debug("index cache not written to %s: %s", place, error)
            else:
                self._old = dict(self._new)
                return

    def _load(self) -> dict[str, tuple[Stamp, Facts]]:
        for place in self._places:
            try:
                return self._parse(place.read_text("utf-8"))
            except OSError:
                continue
            except (ValueError, TypeError, KeyError, AttributeError) as error:
                _log.info("index cache %s is not used: %s", place, error)
        return {}

    def _parse(self, text: str) -> dict[str, tuple[Stamp, Facts]]:
        head, body = text.splitlines()
        if safe_json.loads(head) != {**self._header, "digest": _digest(body.encode())}:
            raise ValueError("it is damaged, or was written for other settings")
        return {
            name: ((size, time), _facts(*values))
            for name, (size, time, *values) in safe_json.loads(body).items()
        }


def _facts(num_frames: int, exact: bool, fps: float, size: list[int], video: list[Any] | None) -> Facts:
    height, width = size
    return Facts(num_frames, exact, fps, (height, width), PackedInfo(*video) if video else None)


def _is_writable(folder: Path) -> bool:
    """Go by the mode too: a folder that is marked read-only is not written to, though root could."""
    return os.access(folder, os.W_OK) and bool(folder.stat().st_mode & 0o222)


def _user_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path("~/.cache").expanduser()) / "animate" / "index"


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def _write(place: Path, text: str) -> None:
    """Whole or not at all; several processes may do so at once."""
    place.parent.mkdir(parents=True, exist_ok=True)
    sweep(place.parent, place.suffix, place.stem)
    temporary = temporary_name(place)
    try:
        temporary.write_text(text, "utf-8")
        temporary.replace(place)
    finally:
        discard(temporary)
