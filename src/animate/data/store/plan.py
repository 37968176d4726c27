"""Which clips go into which part of a store: the same on every machine that sees the same source."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from fnmatch import fnmatch
from typing import TYPE_CHECKING, Any

from animate import safe_json
from animate.data.in_order import whole_source
from animate.data.index import SPLITS, Split
from animate.data.store.layout import FORMAT, LARGEST_SIDE, LARGEST_TEXT, PLAN, PartIndex, StoreError
from animate.data.store.pictures import Codec
from animate.errors import UserError
from animate.video.atomic import temporary_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from animate.data.index import Clip, FolderIndex
    from animate.data.manifest import ManifestIndex

    Source = FolderIndex | ManifestIndex


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a store is made.

    Args:
        size: (height, width) of the frames.
        quality: of JPEG, 1 to 100; None for no loss.
        part_frames: a part is closed when it has as many frames; a clip is never cut.

    Raises:
        UserError: a value is out of its range.

    """

    size: tuple[int, int] = (256, 256)
    quality: int | None = 95
    part_frames: int = 8192

    def __post_init__(self) -> None:
        if not 1 <= min(self.size) <= max(self.size) <= LARGEST_SIDE:
            raise UserError(f"--size {self.size[0]}x{self.size[1]}: from 1 to {LARGEST_SIDE} pixels")
        if self.part_frames < 1:
            raise UserError(f"--part-frames {self.part_frames}: at least 1")
        _ = self.codec

    @property
    def codec(self) -> Codec:
        """How frames are encoded."""
        return Codec(self.quality)


@dataclass(frozen=True, slots=True)
class PartPlan:
    """One part that is to be made."""

    number: int
    clips: tuple[tuple[Split, Clip], ...]

    @property
    def name(self) -> str:
        """``part-00000``."""
        return f"part-{self.number:05d}"

    @property
    def frames(self) -> int:
        """How many frames its clips should have."""
        return sum(clip.num_frames for _, clip in self.clips)


@dataclass(frozen=True, slots=True)
class Plan:
    """All that goes into a store."""

    recipe: Recipe
    parts: tuple[PartPlan, ...]
    problems: tuple[str, ...]
    """What of the source cannot be read, each ``name: reason``."""
    digest: str
    """Of all that decides what is in the store."""

    def shard(self, number: int, count: int) -> list[PartPlan]:
        """List the parts of shard ``number`` of ``count``, from 1."""
        return list(self.parts[number - 1 :: count])

    def pending(self, folder: Path, parts: Sequence[PartPlan]) -> list[PartPlan]:
        """List those of ``parts`` that are not there, are torn, or belong to another plan."""
        return [part for part in parts if done(folder, part.name, self.digest) is None]


def plan_of(source: Source, recipe: Recipe) -> Plan:
    """Cut the clips of a source into parts, in the order of its index. Nothing is decoded.

    Raises:
        UserError: the source has no clips.

    """
    clips = [(split, clip) for split in SPLITS for clip in source.by_split.get(split, ())]
    if not clips:
        raise UserError(f"{source.root}: there are no clips to prepare")
    parts = tuple(PartPlan(number, part) for number, part in enumerate(_cut(clips, recipe.part_frames)))
    facts = [[split, clip.name, clip.subject, clip.num_frames, *_file_facts(clip)] for split, clip in clips]
    content = json.dumps([FORMAT, asdict(recipe), facts]).encode()
    digest = hashlib.blake2b(content, digest_size=16).hexdigest()
    return Plan(recipe, parts, tuple(source.problems), digest)


def _cut(clips: Sequence[tuple[Split, Clip]], frames: int) -> Iterator[tuple[tuple[Split, Clip], ...]]:
    part: list[tuple[Split, Clip]] = []
    count = 0
    for split, clip in clips:
        part.append((split, clip))
        count += clip.num_frames
        if count >= frames:
            yield tuple(part)
            part, count = [], 0
    if part:
        yield tuple(part)


def _file_facts(clip: Clip) -> list[Any]:
    """Tell which frames of which content: a file's size, not its date, which differs by machine."""
    size = clip.path.stat().st_size if clip.path.is_file() else 0
    return [size, whole_source(clip)[1]]


def begin(folder: Path, plan: Plan) -> None:
    """Make a store's folder, or find that it holds the beginnings of just this store.

    Raises:
        UserError: it holds anything else, or is damaged, or cannot be written.

    """
    note = folder / PLAN
    if not note.is_file():
        _make(folder, plan)
    if _planned(note) != plan.digest:
        raise UserError(
            f"{folder}: holds a store that was made otherwise, or of other clips; name a new folder"
        )


def _make(folder: Path, plan: Plan) -> None:
    note = folder / PLAN
    if folder.exists() and not (folder.is_dir() and all(map(_is_note, folder.iterdir()))):
        raise UserError(f"{folder}: is there and is neither an empty folder nor a store; name a new folder")
    folder.mkdir(parents=True, exist_ok=True)
    text = {"format": FORMAT, "plan": plan.digest, "parts": len(plan.parts), **asdict(plan.recipe)}
    with temporary_file(note) as temporary:
        temporary.write_text(json.dumps(text, indent=1) + "\n", "utf-8")


def _is_note(path: Path) -> bool:
    """Tell a plan, half-written too: of a shard that begins at this moment, or of one that was killed."""
    return path.name == PLAN or fnmatch(path.name, f".{PLAN.removesuffix('.json')}.*.part.json")


def _planned(note: Path) -> str:
    try:
        return str(safe_json.loads(note.read_text("utf-8"))["plan"])
    except OSError as error:
        raise UserError(f"{note} cannot be read: {error.strerror}; change its access rights") from error
    except (ValueError, KeyError, TypeError):
        raise UserError(f"{note} is damaged; delete {note.parent}, or name a new folder") from None


def done(folder: Path, name: str, plan: str) -> tuple[PartIndex, bytes] | None:
    """Read the index of a part; None where the part is not there in full, or is of another plan."""
    try:
        place = folder / f"{name}.jsonl"
        if place.stat().st_size > LARGEST_TEXT:
            return None
        text = place.read_bytes()
        index = PartIndex.loads(text, str(place))
        whole = index.plan == plan and (folder / f"{name}.tar").stat().st_size == index.tar.size
    except (OSError, StoreError):
        return None
    return (index, text) if whole else None
