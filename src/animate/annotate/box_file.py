"""Boxes that somebody drew or another program found, from a JSON file.

``{"clip name": [entry, ...], ...}``, or the list alone where there is one clip. An entry is
``{"box": [x, y, width, height]}`` in pixels of the upright picture, with ``"frame": n``, or
``"frames": [first, stop]`` (stop not included), or neither for all frames. What lies outside of the picture
is cut off.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from animate import safe_json
from animate.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from animate.annotate.tubes import Boxes
    from animate.data.index import Clip

_ENTRY = '{"frame": 0, "box": [x, y, width, height]}'


@dataclass(frozen=True, slots=True)
class BoxFile:
    """The boxes of each clip by name; of the only clip under the empty name."""

    path: Path
    entries: Mapping[str, list[Any]]

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read the file. Raises ``UserError`` when it is missing or something else."""
        try:
            found = safe_json.loads(path.read_text("utf-8"))
        except OSError as error:
            raise UserError(f"{path} cannot be read: {error.strerror}") from error
        except ValueError as error:
            raise UserError(f"{path} is not JSON: {error}") from error
        entries = {"": found} if isinstance(found, list) else found
        if not isinstance(entries, dict) or not all(isinstance(part, list) for part in entries.values()):
            raise UserError(f'{path}: give {{"clip name": [{_ENTRY}, ...]}}, or the list alone for one clip')
        return cls(path, entries)

    def boxes(self, clip: Clip, only: bool) -> list[Boxes]:
        """Return the boxes of each frame of a clip, (n, 4) pixels.

        Args:
            clip: named by its name, its file's name or its path.
            only: whether it is the only one, so that a list alone means it.

        Raises:
            UserError: the file does not name the clip, or an entry of it is wrong.

        """
        names = [clip.name, clip.path.name, str(clip.path), *([""] if only else [])]
        name = next((name for name in names if name in self.entries), None)
        if name is None:
            raise UserError(f"{self.path} has no boxes for {clip.name}; it names {_some(self.entries)}")
        frames: list[list[list[float]]] = [[] for _ in range(clip.num_frames)]
        for number, entry in enumerate(self.entries[name]):
            where = f"{self.path}, {name or 'the list'}, entry {number}"
            box = _box(entry, clip.size, where)
            for frame in _frames(entry, clip.num_frames, where):
                frames[frame].append(box)
        return [np.asarray(boxes, np.float64).reshape(-1, 4) for boxes in frames]


def _some(names: Mapping[str, Any]) -> str:
    shown = [name or "(a list without names)" for name in names][:3]
    return ", ".join(shown) or "nothing"


def _box(entry: Any, size: tuple[int, int], where: str) -> list[float]:
    try:
        left, top, width, height = (float(value) for value in entry["box"])
    except (TypeError, KeyError, ValueError, OverflowError):
        raise UserError(f"{where}: is not like {_ENTRY}") from None
    corners = [max(left, 0.0), max(top, 0.0), min(left + width, size[1]), min(top + height, size[0])]
    if not (corners[0] < corners[2] and corners[1] < corners[3]):
        raise UserError(f"{where}: the box {entry['box']} shows nothing of a picture of {size[1]}x{size[0]}")
    return corners


def _frames(entry: dict[str, Any], count: int, where: str) -> range:
    try:
        first, stop = (entry["frame"], entry["frame"] + 1) if "frame" in entry else entry["frames"]
        frames = range(first, stop)
    except KeyError:
        frames = range(count)
    except (TypeError, ValueError):
        frames = range(0)
    if not frames or frames[0] < 0 or frames[-1] >= count:
        raise UserError(f"{where}: its frames are not within the clip's {count}")
    return frames
