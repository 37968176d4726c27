"""The files of a store, as values: written by ``dumps``, read back by ``loads`` which believes nothing.

What a file says is checked for its type and its range before it is used; anything else is ``StoreError``.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import numpy as np

from animate import safe_json
from animate.data.index import SPLITS, Split
from animate.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FORMAT = 1
HEADER, PLAN = "store.json", "plan.json"
TABLE = np.dtype([("offset", "<u8"), ("size", "<u4"), ("crc", "<u4")])
"""A row for each frame: where its picture begins in the part, its bytes, and their CRC-32."""
LARGEST_TEXT = 1 << 30
"""Bytes of the largest index of a part, which may hold millions of clips."""
LARGEST_SIDE = 1 << 14
"""Pixels: the longest side of a frame."""
LARGEST_PICTURE = 1 << 30
"""Bytes of the largest picture."""
_PART = re.compile(r"part-\d{5}")
_NAME = re.compile(r"\w+\.[\w-]+\.npz")
_LARGEST_PART = 1 << 50
_LARGEST_COUNT = 1 << 40
Range: TypeAlias = tuple[int, int]
"""(first byte, number of bytes) in a part."""
Piece: TypeAlias = tuple[str, int, int]
"""(file, first byte, number of bytes)."""


class StoreError(UserError):
    """A store that is damaged, or was made to do harm."""


@dataclass(frozen=True, slots=True)
class File:
    """A file with what it is known by."""

    size: int
    digest: str

    @classmethod
    def of(cls, content: bytes) -> File:
        """Describe a file that holds ``content``."""
        return cls(len(content), hashlib.blake2b(content, digest_size=16).hexdigest())


@dataclass(frozen=True, slots=True)
class Part:
    """One of the large files, with its index."""

    name: str
    """``part-00000``; the files are called after it."""
    tar: File
    index: File


@dataclass(frozen=True, slots=True)
class Header:
    """What a store says about itself."""

    plan: str
    """The digest of the plan that it was made by."""
    size: tuple[int, int]
    """(height, width) of every frame."""
    codec: str
    """``jpeg`` or ``webp-lossless``."""
    quality: int | None
    """Of JPEG, 1 to 100."""
    psnr: float | None
    """Of all frames against the resized original, in dB: of their mean squared error; None: no error."""
    worst_psnr: float | None
    """Of the frame with the largest error."""
    clips: int
    frames: int
    left_out: tuple[str, ...]
    """What of the source is not in it, or not wholly, each ``name: reason``."""
    parts: tuple[Part, ...]

    def dumps(self) -> str:
        """Write it as JSON."""
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=1) + "\n"

    @classmethod
    def loads(cls, text: bytes, where: str) -> Header:
        """Read what :meth:`dumps` wrote. Raises ``StoreError`` for anything else."""
        with _Reading(where):
            values = safe_json.loads(text)
            if values["format"] != FORMAT:
                raise ValueError(f"it has format {values['format']!r}, and {FORMAT} is read")
            height, width = (_number(side, LARGEST_SIDE, 1) for side in values["size"])
            parts = tuple(_part(part) for part in values["parts"])
            if len({part.name for part in parts}) != len(parts):
                raise ValueError("a part stands in it twice")
            return cls(
                plan=_text(values["plan"]),
                size=(height, width),
                codec=_text(values["codec"]),
                quality=None if values["quality"] is None else _number(values["quality"], 100),
                psnr=_decibels(values["psnr"]),
                worst_psnr=_decibels(values["worst_psnr"]),
                clips=_number(values["clips"], _LARGEST_COUNT),
                frames=_number(values["frames"], _LARGEST_COUNT),
                left_out=tuple(_text(reason) for reason in values["left_out"]),
                parts=parts,
            )


@dataclass(frozen=True, slots=True)
class StoredClip:
    """A clip in a part."""

    name: str
    split: Split
    subject: str
    frames: int
    fps: float
    content: str
    """The digest of the file that it was made of (``animate.sidecars.digest``)."""
    start: int
    """The number that its first frame has in that file."""
    table: Range
    table_crc: int
    annotations: Mapping[str, Range]
    """Its sidecars by ``KIND.BACKEND.npz``."""
    error: float
    """Mean squared error of its frames, in squared levels of 255."""
    worst_error: float
    """That of the worst frame."""
    note: str = ""
    """What of the original is not in it."""


@dataclass(frozen=True, slots=True)
class PartIndex:
    """What the index of a part holds."""

    plan: str
    tar: File
    clips: tuple[StoredClip, ...]
    left_out: tuple[str, ...]

    def dumps(self) -> str:
        """Write it as JSON lines: one about the part, then one for each clip."""
        head = {"format": FORMAT, "plan": self.plan, "tar": asdict(self.tar), "left_out": self.left_out}
        return "".join(json.dumps(line) + "\n" for line in (head, *map(asdict, self.clips)))

    @classmethod
    def loads(cls, text: bytes, where: str) -> PartIndex:
        """Read what :meth:`dumps` wrote. Raises ``StoreError`` for anything else, or bytes not in it."""
        with _Reading(where):
            head, *lines = map(safe_json.loads, text.splitlines())
            if head["format"] != FORMAT:
                raise ValueError(f"it has format {head['format']!r}, and {FORMAT} is read")
            tar = _file(head["tar"], _LARGEST_PART)
            left_out = tuple(_text(reason) for reason in head["left_out"])
            return cls(_text(head["plan"]), tar, tuple(_clip(line, tar.size) for line in lines), left_out)


def decibels(error: float) -> float | None:
    """Peak signal-to-noise ratio of a mean squared error in squared levels of 255; None for none."""
    return 10 * math.log10(255**2 / error) if error > 0 else None


class _Reading:
    """Turns everything that parsing strange JSON can raise into a ``StoreError`` in one line."""

    def __init__(self, where: str) -> None:
        self._where = where

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, ValueError | TypeError | KeyError | AttributeError | OverflowError):
            said = "nothing under" if isinstance(error, KeyError) else ""
            reason = " ".join(f"{said} {error}".split())
            raise StoreError(f"{self._where}: is damaged or no index of a store: {reason}") from error


def _clip(values: dict[str, Any], part_size: int) -> StoredClip:
    split = values["split"]
    if split not in SPLITS:
        raise ValueError(f"split is {split!r}")
    frames, fps = _number(values["frames"], _LARGEST_COUNT, 1), float(values["fps"])
    if not 0 < fps < math.inf:
        raise ValueError(f"fps is {fps}")
    table = _range(values["table"], part_size)
    if table[1] != frames * TABLE.itemsize:
        raise ValueError(f"a table of {frames} frames does not have {table[1]} bytes")
    return StoredClip(
        name=_text(values["name"]),
        split=cast("Split", split),
        subject=_text(values["subject"]),
        frames=frames,
        fps=fps,
        content=_text(values["content"]),
        start=_number(values["start"], _LARGEST_COUNT),
        table=table,
        table_crc=_number(values["table_crc"], 2**32 - 1),
        annotations={
            _matching(_NAME, name): _range(place, part_size) for name, place in values["annotations"].items()
        },
        error=_error(values["error"]),
        worst_error=_error(values["worst_error"]),
        note=str(values["note"]),
    )


def _part(values: dict[str, Any]) -> Part:
    name = _matching(_PART, values["name"])
    return Part(name, _file(values["tar"], _LARGEST_PART), _file(values["index"], LARGEST_TEXT))


def _file(values: dict[str, Any], largest: int) -> File:
    return File(_number(values["size"], largest), _text(values["digest"]))


def _range(values: Sequence[Any], end: int) -> Range:
    first, count = (_number(value, _LARGEST_PART) for value in values)
    if first + count > end:
        raise ValueError(f"bytes {first} to {first + count} lie behind the end of a part of {end}")
    return first, count


def _matching(pattern: re.Pattern[str], value: Any) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise ValueError(f"{str(value)[:80]!r} is not a name that a store gives")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"{value!r} is not a text")
    return value


def _number(value: Any, largest: int, least: int = 0) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= largest:
        raise ValueError(f"{str(value)[:80]} is not a number from {least} to {largest}")
    return value


def _error(value: Any) -> float:
    error = float(value)
    if not 0 <= error <= 255**2:
        raise ValueError(f"an error of {error}")
    return error


def _decibels(value: Any) -> float | None:
    return None if value is None else float(value)
