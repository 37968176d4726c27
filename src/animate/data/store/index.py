"""The clips of a prepared store."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from animate.data.index import SPLITS, Clip, Split, refuse_too_many, subject_of
from animate.data.store.layout import HEADER, File, Header, Part, PartIndex, StoredClip, StoreError
from animate.data.store.reader import StoreSource
from animate.data.store.storage import Storage, is_address, storage_at
from animate.data.store.verify import digest_of
from animate.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_LARGEST_HEADER = 1 << 26


class StoreIndex:
    """The clips of a store, in the order of the source that it was made of.

    Only the indices are read, and the sizes of the parts compared. Clips of a part that is torn or missing
    stand in :attr:`problems`, and so does what of the source was left out.

    Args:
        root: the folder, or an address such as ``s3://bucket/store``.
        id_sampling: whether the subject of a clip that stands for itself is read from its name
            (``animate.data.index.subject_of``).
        max_broken_share: up to this share of the clips may be in torn parts.

    Raises:
        StoreError: an index is damaged, or says what cannot be.
        UserError: there is no store, or too many of its clips are torn.

    """

    def __init__(
        self, root: str | os.PathLike[str], *, id_sampling: bool = False, max_broken_share: float = 0.1
    ) -> None:
        self.root = os.fspath(root) if is_address(root) else str(Path(root).expanduser().resolve())
        self._storage = storage_at(self.root)
        self._id_sampling = id_sampling
        self.header = read_header(self._storage, self.root)
        self._clips: dict[Split, list[Clip]] = {split: [] for split in SPLITS}
        torn: list[str] = []
        for part, problem, index in self._parts():
            path = Path(self.root, f"{part.name}.tar")  # one for all of its clips: there may be 100,000
            for stored in index.clips:
                if problem:
                    torn.append(f"{stored.split}/{stored.name}: {problem}")
                else:
                    self._clips[stored.split].append(self._clip(part, path, stored))
        refuse_too_many(torn, sum(map(len, self._clips.values())), max_broken_share, self.root)
        self.problems: Sequence[str] = [*torn, *self.header.left_out]

    @property
    def ignored(self) -> Sequence[str]:
        """Nothing: a store holds clips only."""
        return ()

    @property
    def splits(self) -> tuple[Split, ...]:
        """The splits that have clips."""
        return tuple(split for split in SPLITS if self._clips[split])

    @property
    def is_flat(self) -> bool:
        """False: a store always has splits."""
        return False

    @property
    def by_split(self) -> Mapping[Split, Sequence[Clip]]:
        """The clips of each split; there may be none."""
        return self._clips

    def clips(self, split: Split) -> Sequence[Clip]:
        """List the clips of a split; without any for ``val`` those of ``test``."""
        found = self._clips[split] or (self._clips["test"] if split == "val" else [])
        if not found:
            raise UserError(
                f"{self.root}: the store has no clip of split '{split}', only {list(self.splits)}"
            )
        return found

    def correct(self, counts: Mapping[Path, int]) -> None:
        """Nothing to do: frames were counted when they were stored."""

    def torn_parts(self) -> Iterator[str]:
        """Read every part and compare checksums: yield what is wrong, each ``file: reason``."""
        for part in self.header.parts:
            name = f"{part.name}.tar"
            try:
                whole = digest_of(self._storage, name, part.tar.size) == part.tar.digest
            except StoreError as error:
                yield f"{name}: {error}"
                continue
            if not whole:
                yield f"{name}: its checksum is wrong; copy it again, or remove it and prepare again"

    def _parts(self) -> Iterator[tuple[Part, str, PartIndex]]:
        parts = self.header.parts
        sizes = self._storage.sizes([f"{part.name}.tar" for part in parts])
        texts = self._storage.read([(f"{part.name}.jsonl", 0, part.index.size) for part in parts])
        for part, size, text in zip(parts, sizes, texts, strict=True):
            name = f"{part.name}.jsonl"
            if File.of(text) != part.index:
                raise StoreError(f"{self.root}/{name}: its checksum is wrong; copy it again")
            index = PartIndex.loads(text, f"{self.root}/{name}")
            if index.tar != part.tar:
                raise StoreError(f"{self.root}/{name}: is about another part than {HEADER} says")
            yield part, _torn(part, size), index

    def _clip(self, part: Part, path: Path, stored: StoredClip) -> Clip:
        subject = stored.subject
        if self._id_sampling and subject == stored.name:
            subject = subject_of(stored.name)
        source = StoreSource(
            root=self.root,
            part=path.name,
            part_size=part.tar.size,
            codec=self.header.codec,
            table=stored.table,
            table_crc=stored.table_crc,
            content=stored.content,
            start=stored.start,
            annotations=tuple(stored.annotations.items()),
        )
        return Clip(stored.name, subject, path, stored.frames, True, stored.fps, self.header.size, source)


def read_header(storage: Storage, root: str) -> Header:
    """Read what a store says about itself. Raises ``StoreError`` when it is not there or damaged."""
    if storage.sizes([HEADER]) == [None]:
        raise UserError(
            f"{root}: there is no prepared store (no {HEADER}); make one by `animate data prepare`"
        )
    (text,) = storage.read([(HEADER, 0, _LARGEST_HEADER)])
    return Header.loads(text, f"{root}/{HEADER}")


def _torn(part: Part, size: int | None) -> str:
    if size is None:
        return f"{part.name}.tar is not there"
    return "" if size == part.tar.size else f"{part.name}.tar is torn: {size} of {part.tar.size} bytes"
