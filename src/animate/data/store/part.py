"""One part of a store: its clips encoded into a tar file, and its index beside it."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from animate.data.annotations import known_content
from animate.data.in_order import whole_source
from animate.data.store.frames import good_frames
from animate.data.store.layout import TABLE, PartIndex, Range, StoredClip
from animate.data.store.pictures import decode, squared_error
from animate.data.store.tar import TarWriter
from animate.errors import UserError
from animate.sidecars import Sidecar, cache_folder, sidecars_of
from animate.video.atomic import temporary_file

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from animate.data.index import Clip, Split
    from animate.data.store.pictures import Codec
    from animate.data.store.plan import PartPlan, Recipe

    Tell = Callable[[int], None]

LEAST_FRAMES = 2
"""A clip with fewer shows no motion, and is left out when damage has cost it the others."""


def write_part(folder: Path, part: PartPlan, recipe: Recipe, plan: str, tell: Tell) -> None:
    """Write ``NAME.tar``, then ``NAME.jsonl``; a part is there when both are.

    Args:
        folder: of the store.
        part: which clips.
        recipe: how they are stored.
        plan: the digest of the plan, for the index.
        tell: called with the number of frames that were stored since it was last called.

    Raises:
        UserError: the place cannot be written, or the disk is full; nothing half-written is left.

    """
    clips: list[StoredClip] = []
    left_out: list[str] = []
    with temporary_file(folder / f"{part.name}.tar") as temporary, TarWriter(temporary) as tar:
        for number, (split, clip) in enumerate(part.clips):
            try:
                clips.append(
                    _ClipWriter(tar, f"{part.number:05d}-{number:06d}", recipe).store(split, clip, tell)
                )
            except _NothingError as error:
                left_out.append(f"{split}/{clip.name}: {error}")
        file = tar.finish()
    index = PartIndex(plan, file, tuple(clips), (*left_out, *_noted(clips)))
    with temporary_file(folder / f"{part.name}.jsonl") as temporary:
        temporary.write_text(index.dumps(), "utf-8")


def _noted(clips: list[StoredClip]) -> list[str]:
    return [f"{clip.split}/{clip.name}: {clip.note}" for clip in clips if clip.note]


class _NothingError(Exception):
    """Nothing of a clip can be stored."""


@dataclass
class _ClipWriter:
    tar: TarWriter
    folder: str
    recipe: Recipe
    table: bytearray = field(default_factory=bytearray)
    errors: float = 0.0
    worst: float = 0.0

    def store(self, split: Split, clip: Clip, tell: Tell) -> StoredClip:
        """Store frames, sidecars and table."""
        codec, count = self.recipe.codec, 0
        try:
            content = known_content(clip.path)
        except (UserError, OSError) as error:
            raise _NothingError(str(error)) from error
        for image in good_frames(clip, self.recipe.size):
            self._add(count, image, codec)
            count += 1
            tell(1)
        note = (
            "" if count == clip.num_frames else f"only {count} of its {clip.num_frames} frames can be decoded"
        )
        if count < min(LEAST_FRAMES, clip.num_frames):
            raise _NothingError(note)
        annotations, stale = self._sidecars(clip, content)
        return StoredClip(
            name=clip.name,
            split=split,
            subject=clip.subject,
            frames=count,
            fps=clip.fps,
            content=content,
            start=whole_source(clip)[1],
            table=self.tar.add(f"{self.folder}/frames.table", bytes(self.table)),
            table_crc=zlib.crc32(self.table),
            annotations=annotations,
            error=self.errors / count,
            worst_error=self.worst,
            note="; ".join(filter(None, (note, *stale))),
        )

    def _add(self, number: int, image: NDArray[np.uint8], codec: Codec) -> None:
        picture = codec.encode(image)
        offset, size = self.tar.add(f"{self.folder}/{number:06d}{codec.suffix}", picture)
        self.table += np.array((offset, size, zlib.crc32(picture)), TABLE).tobytes()
        error = squared_error(image, decode(picture, self.recipe.size, self.folder))
        self.errors += error
        self.worst = max(self.worst, error)

    def _sidecars(self, clip: Clip, content: str) -> tuple[dict[str, Range], list[str]]:
        """Store the sidecars of a clip that belong to what it holds now; name the others."""
        beside = {
            place.name.removeprefix(f"{clip.path.name}."): place for place in sidecars_of("*", clip.path)
        }
        cached = sidecars_of("*", cache_folder(), content)
        places = {place.name.removeprefix(f"{content}."): place for place in cached} | beside
        stored, stale = {}, []
        for name, place in places.items():
            if _belongs(place, content):
                stored[name] = self.tar.add_file(f"{self.folder}/{name}", place)
            else:
                stale.append(f"{place.name} is out of date or damaged")
        return stored, stale


def _belongs(place: Path, content: str) -> bool:
    try:
        with Sidecar(place) as sidecar:
            return sidecar.header.key.content == content
    except (UserError, OSError):
        return False
