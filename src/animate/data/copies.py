"""Clips with the same content, by the bytes of their files."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from typing import TYPE_CHECKING, TypeAlias

from animate.data.clips import ExcerptSource
from animate.data.frame_files import list_frames
from animate.data.index import Clip, Split
from animate.data.store.reader import StoreSource

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

Pair: TypeAlias = tuple[Split, Clip]


def copies(pairs: Sequence[Pair]) -> Iterator[tuple[Pair, Pair]]:
    """Find clips that show the same: in one split, or in train and in a held-out split.

    Each clip is named with the first before it that it copies, so that n equal clips give n - 1 pairs. Files
    of different size are not read; a store knows what its clips were made of. Ranges of one file are copies
    only where they overlap.

    Args:
        pairs: Splits with their clips; those of train come first.

    """
    for group in _same_bytes(pairs):
        earlier: dict[Split, list[Pair]] = defaultdict(list)
        for pair in group:
            for split in dict.fromkeys((pair[0], "train")):
                original = next((other for other in earlier[split] if _overlap(other[1], pair[1])), None)
                if original is not None:
                    yield original, pair
            earlier[pair[0]].append(pair)


def _same_bytes(pairs: Sequence[Pair]) -> Iterator[list[Pair]]:
    of_size: dict[tuple[int, int], list[Pair]] = defaultdict(list)
    stored: dict[str, list[Pair]] = defaultdict(list)
    for pair in pairs:
        if isinstance(pair[1].reader, StoreSource):
            stored[pair[1].reader.content].append(pair)
            continue
        files = _files(pair[1].path)
        of_size[len(files), files[0].stat().st_size].append(pair)
    for candidates in of_size.values():
        alike: dict[bytes, list[Pair]] = defaultdict(list)
        for pair in candidates if len(candidates) > 1 else ():
            alike[_digest(pair[1].path)].append(pair)
        yield from alike.values()
    yield from stored.values()


def _files(path: Path) -> list[Path]:
    return list_frames(path) if path.is_dir() else [path]


def _digest(path: Path) -> bytes:
    whole = hashlib.blake2b()
    for file in _files(path):
        with file.open("rb") as content:
            whole.update(hashlib.file_digest(content, "blake2b").digest())
    return whole.digest()


def _overlap(one: Clip, other: Clip) -> bool:
    start, other_start = _start(one), _start(other)
    return start < other_start + other.num_frames and other_start < start + one.num_frames


def _start(clip: Clip) -> int:
    return clip.reader.start if isinstance(clip.reader, ExcerptSource | StoreSource) else 0
