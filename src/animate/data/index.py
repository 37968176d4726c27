"""What clips there are: the index of a folder.

An index lists clips and knows how each is opened; it decodes nothing. Layouts and rules: docs/data.md.
"""

from __future__ import annotations

import os
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, TypeVar

from rich.console import Console
from rich.progress import track

from animate.data.clips import ContainerSource
from animate.data.collection import without_collection
from animate.data.index_cache import IndexCache
from animate.data.layouts import Facts, Found, NotAStripError, Strip, search
from animate.data.stamp import stamp
from animate.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from animate.data.clips import ClipSource

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")
PROGRESS_FROM = 200
"""Files to demux from which a progress bar is shown."""
_PROBE_THREADS = 8
_NAMED_PROBLEMS = 5
T = TypeVar("T")
_PERSON = re.compile(r"id\d+")


@dataclass(frozen=True, slots=True)
class Clip:
    """One clip of a data set."""

    name: str
    """Unique in its split and stable: the path in the split folder, with ``/`` and with the suffix."""
    subject: str
    """Who is shown; the clip's name where that is not known."""
    path: Path
    """The file or folder; for a drawn clip a pure label."""
    num_frames: int
    exact: bool
    """Whether ``num_frames`` was counted; a container's is an estimate until something decoded it."""
    fps: float
    size: tuple[int, int]
    """(height, width) of an upright frame, in pixels."""
    reader: ClipSource
    """How to open it: ``clip.reader.open(clip)``."""


class ClipIndex(Protocol):
    """A list of clips for each split."""

    @property
    def problems(self) -> Sequence[str]:
        """What should be a clip but could not be indexed, each ``name: reason``."""

    def clips(self, split: Split) -> Sequence[Clip]:
        """List the clips of a split, sorted. Raises ``UserError`` when there are none."""


class FolderIndex:
    """The clips under ``root/train``, ``root/test`` and, if it is there, ``root/val``.

    Args:
        root: The data folder.
        id_sampling: Whether a clip's subject is read from its name (:func:`subject_of`), so that training
            draws a person first and then one of the person's clips.
        strip_size: (height, width) of a frame in strips; square frames without it.
        max_broken_share: Up to this share of the files may be broken; they stand in :attr:`problems`.
        flat: The split that a folder without ``train``, ``val`` and ``test`` is read as; an error without it.

    Raises:
        UserError: The folder is missing, has no split, holds no clip, or too many of its files are broken.

    """

    @without_collection()
    def __init__(
        self,
        root: str | Path,
        *,
        id_sampling: bool = False,
        strip_size: Sequence[int] | None = None,
        max_broken_share: float = 0.1,
        flat: Split | None = None,
    ) -> None:
        self.root = Path(root).expanduser()
        self._folders = _split_folders(self.root, flat)
        self._strip = Strip(checked_strip_size(strip_size))
        self._id_sampling = id_sampling
        self._learn = Learner(IndexCache(self.root, settings=str(self._strip)), self._name)
        self._unknown: list[str] = []
        found = {split: list(self._search(folder)) for split, folder in self._folders.items()}
        facts = self._learn([f for places in found.values() for f in places])
        self._clips = {
            s: [self._clip(s, f, facts[f.path]) for f in found[s] if f.path in facts] for s in found
        }
        refuse_too_many(self.problems, sum(map(len, self._clips.values())), max_broken_share, str(self.root))
        if not any(self._clips.values()):
            raise NoClipsError(
                f"data.root: no clips in '{self.root}'{self._hint()}; {expected_layout(self.root)}",
                self.problems,
            )

    @property
    def problems(self) -> Sequence[str]:
        """See :class:`ClipIndex`."""
        return self._learn.problems

    @property
    def ignored(self) -> Sequence[str]:
        """What is of no kind that is known, or a picture but no strip: each ``name: reason``."""
        return self._unknown + self._learn.not_strips

    @property
    def splits(self) -> tuple[Split, ...]:
        """The splits that have a folder of their own."""
        return tuple(self._folders)

    @property
    def is_flat(self) -> bool:
        """Whether the folder has no splits and was read as one."""
        return self.root in self._folders.values()

    @property
    def by_split(self) -> Mapping[Split, Sequence[Clip]]:
        """The clips of each split that has a folder; there may be none in it."""
        return self._clips

    def clips(self, split: Split) -> Sequence[Clip]:
        """List the clips of a split in natural order; without ``val/``, ``val`` means ``test/``."""
        where: Split = "test" if split == "val" and "val" not in self._folders else split
        if not self._clips.get(where):
            raise UserError(f"data.root: no clips in '{self.root / where}'; {expected_layout(self.root)}")
        return self._clips[where]

    def correct(self, counts: Mapping[Path, int]) -> None:
        """Take the frame counts that decoding has shown, by path, and keep them in the cache."""
        for split, clips in self._clips.items():
            self._clips[split] = [
                corrected(c, counts[c.path], self._learn) if c.path in counts else c for c in clips
            ]
        self._learn.cache.save()

    def _search(self, folder: Path) -> Iterable[Found]:
        for found in search(folder, self._strip):
            if isinstance(found, Found):
                yield found
            else:
                self._unknown.append(f"{self._name(found)}: no video, strip or folder of frames")

    def _name(self, path: Path) -> str:
        return _below(path, self.root)

    def _clip(self, split: Split, found: Found, facts: Facts) -> Clip:
        name = _below(found.path, self._folders[split])
        subject = subject_of(name) if self._id_sampling else name
        source = found.layout.source(facts)
        return Clip(name, subject, found.path, facts.num_frames, facts.exact, facts.fps, facts.size, source)

    def _hint(self) -> str:
        reasons = [*self.problems, *self.ignored]
        return f" ({reasons[0]})" if reasons else ""


def subject_of(name: str) -> str:
    """Tell who a clip shows, from its name, for data sets that are cut into chunks of a person.

    In this order: what stands before the first ``#`` (``id10001#clip#1.mp4``); the first folder, when the
    clip lies in one (``id10001/clip.mp4``); ``id`` and the digits that the name begins with
    (``id10001_3.mp4``); else the clip stands for itself.
    """
    *folders, last = name.split("/")
    if "#" in last:
        return last.split("#")[0]
    if folders:
        return folders[0]
    person = _PERSON.match(name)
    return person.group() if person else name


def _below(path: Path, folder: Path) -> str:
    """Name what was found in ``folder``; several times faster than ``relative_to``, which has to search."""
    return "/".join(path.parts[len(folder.parts) :])


def corrected(clip: Clip, num_frames: int, learner: Learner) -> Clip:
    """Give the clip its counted number of frames; pictures were counted when they were listed."""
    if not isinstance(clip.reader, ContainerSource):
        return clip
    info = clip.reader.info.corrected(num_frames)
    learner.put(clip.path, Facts(info.num_frames, True, clip.fps, clip.size, info))
    return replace(clip, num_frames=info.num_frames, exact=True, reader=ContainerSource(info))


class Learner:
    """Finds the facts about places: from the cache, or in threads from the files.

    Args:
        cache: Where facts are kept from run to run; saved after each call.
        key: The name of a path in the cache and in messages.

    """

    def __init__(self, cache: IndexCache, key: Callable[[Path], str]) -> None:
        self.cache, self.key = cache, key
        self.problems: list[str] = []
        self.not_strips: list[str] = []

    def __call__(self, places: Sequence[Found]) -> dict[Path, Facts]:
        """Facts by path; what could not be read is missing, and is named with its reason in ``problems``."""
        facts = {found.path: self._known(found.path) for found in places}
        stale = [found for found in places if facts[found.path] is None]
        for found, result in zip(stale, _look(stale), strict=True):
            if isinstance(result, Facts):
                facts[found.path] = result
                self.put(found.path, result)
            else:
                self._skip(found.path, result)
        self.cache.save()
        return {
            path: fact for path, fact in facts.items() if fact is not None and self._has_frames(path, fact)
        }

    def put(self, path: Path, facts: Facts) -> None:
        """Remember what was learned about a file."""
        self.cache.put(self.key(path), stamp(path), facts)

    def _known(self, path: Path) -> Facts | None:
        try:
            at = stamp(path)
        except OSError:
            return None
        return self.cache.get(self.key(path), at)

    def _has_frames(self, path: Path, facts: Facts) -> bool:
        if facts.num_frames < 1:
            self.problems.append(f"{self.key(path)}: no frame of it can be decoded")
        return facts.num_frames > 0

    def _skip(self, path: Path, error: Exception) -> None:
        reason = str(error).removeprefix(f"{path}{os.sep}").removeprefix(str(path)).lstrip(": ")
        told = self.not_strips if isinstance(error, NotAStripError) else self.problems
        told.append(f"{self.key(path)}: {reason}")


def _look(places: Sequence[Found]) -> Sequence[Facts | Exception]:
    with ThreadPoolExecutor(_PROBE_THREADS) as pool:
        shown = len(places) >= PROGRESS_FROM
        return list(with_progress(pool.map(_look_at, places), "indexing clips", len(places), shown))


def _look_at(found: Found) -> Facts | Exception:
    if found.path.is_symlink() and not found.path.exists():
        return UserError(f"{found.path}: is a link to something that is not there")
    try:
        return found.layout.facts(found.path)
    except (UserError, OSError) as error:
        return error


def with_progress(items: Iterable[T], label: str, total: int, shown: bool = True) -> Iterable[T]:
    """Pass ``items`` through, with a progress bar on stderr when that is a terminal."""
    console = Console(stderr=True)
    return track(
        items, label, total, console=console, transient=True, disable=not (shown and console.is_terminal)
    )


def printable(text: str) -> str:
    """Show a file name in one line, whatever bytes it holds: with ``?`` for what cannot be shown."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


class NoClipsError(UserError):
    """There is no clip in a folder; ``problems`` tell what cannot be read there, each ``name: reason``."""

    def __init__(self, message: str, problems: Sequence[str]) -> None:
        super().__init__(message)
        self.problems = tuple(problems)


def refuse_too_many(
    problems: Sequence[str],
    num_clips: int,
    max_broken_share: float,
    where: str,
    setting: str = "data.max_skipped_share",
) -> None:
    """Raise ``UserError`` when more than the allowed share is broken; fewer are for the reader to tell."""
    total = len(problems) + num_clips
    if len(problems) <= max_broken_share * total:
        return
    named = "; ".join(problems[:_NAMED_PROBLEMS]) + ("; ..." if len(problems) > _NAMED_PROBLEMS else "")
    told = printable(f"{len(problems)} of {total} clips in '{where}' cannot be read: {named}")
    limit = f"{setting}={max_broken_share:g}"
    raise UserError(f"{told}; more than {limit} allows. Repair or remove them, or raise it")


def checked_strip_size(strip_size: Sequence[int] | None) -> tuple[int, int] | None:
    """(height, width) as positive integers. Raises ``UserError`` for anything else."""
    if strip_size is None:
        return None
    if len(strip_size) != 2 or min(strip_size) < 1:
        raise UserError(f"strip_size: {list(strip_size)} is not [height, width] in pixels")
    return strip_size[0], strip_size[1]


def expected_layout(root: Path) -> str:
    """Describe what a data folder should look like, in half a line."""
    return (
        f"expected {root / 'train'} and {root / 'test'} with videos, folders of frames or strips "
        "(docs/data.md); data=puppets trains without files"
    )


def _split_folders(root: Path, flat: Split | None) -> dict[Split, Path]:
    if not root.exists():
        raise UserError(f"data.root: folder '{root}' is not there; {expected_layout(root)}")
    if not root.is_dir():
        raise UserError(f"data.root: '{root}' is not a folder; {expected_layout(root)}")
    folders: dict[Split, Path] = {split: root / split for split in SPLITS if (root / split).is_dir()}
    if folders or flat is None:
        if "train" not in folders and "test" not in folders:
            raise UserError(f"data.root: '{root}' has neither train/ nor test/; {expected_layout(root)}")
        return folders
    return {flat: root}
