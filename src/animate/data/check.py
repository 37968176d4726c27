"""What a trainer would want to know about a data set before a night is lost.

:func:`check` looks at every clip and returns a typed report; ``animate data check`` prints it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Any

import numpy as np

from animate.data.clips import ClipCache, ContainerSource, FrameFolderSource
from animate.data.copies import Pair, copies
from animate.data.frame_files import list_frames, upright_size
from animate.data.index import SPLITS, Clip, Split, with_progress
from animate.errors import UserError
from animate.video.decode import FrameError, stream

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray


SAMPLED_FRAMES = 5
"""Evenly spaced frames of each clip that are decoded even without ``decode``."""
CLOSER_FRAMES = 64
"""Evenly spaced frames that are compared where the first few look alike."""
STILL_SIZE = (64, 64)
STILL_LEVELS = 4
STILL_SHARE = 0.01
"""A clip is near-still when, at 64x64, in no sampled frame more than this share of the pixels differs from
the first sampled frame by more than ``STILL_LEVELS`` of 255 (in any colour)."""
_THREADS = 4
_CHUNK = 32


class Finding(Enum):
    """What can be found; each with its title, what to do about it, and whether it is wrong."""

    UNREADABLE = "files that cannot be read", "they are skipped in training: repair or remove them", True
    DAMAGED = (
        "clips with frames that cannot be decoded",
        "such frames are drawn anew: cut or remove them",
        True,
    )
    TOO_SHORT = "clips with fewer than 2 frames", "they show no motion: remove them", True
    NEAR_STILL = "clips in which hardly anything moves", "they teach no motion: look at them", True
    DUPLICATE = "clips with the same content in one split", "they count double: keep one", True
    LEAK = (
        "clips with the same content in train and held out",
        "scores are not honest: move them",
        True,
    )
    EMPTY_SPLIT = "splits without clips", "training needs train/ and test/", True
    MIXED_SIZES = "folders with frames of several sizes", "all are resized to the first: check them", True
    SHARED_SUBJECT = (
        "subjects in train and held out",
        "held-out scores then know the person",
        False,
    )
    NOT_SQUARE = "clips that are not square", "training squeezes frames to a square: crop first", False
    IGNORED = "files that are no clips", "nothing to do if that is meant", False

    def __init__(self, title: str, advice: str, wrong: bool) -> None:
        self.title, self.advice, self.wrong = title, advice, wrong


@dataclass(frozen=True, slots=True)
class SplitReport:
    """One split in numbers."""

    clips: int
    subjects: int
    frames: int
    exact: bool
    """Whether every clip's frames were counted; else containers' counts are estimates."""
    seconds: float
    """Duration of all clips together."""
    sizes: Mapping[str, int]
    """Clips by frame size, ``WIDTHxHEIGHT``, most frequent first."""
    fps: Mapping[str, int]
    """Clips by frames per second, most frequent first."""
    num_frames: tuple[int, int, int]
    """Frames of the shortest, the median and the longest clip."""
    durations: tuple[float, float, float]
    """Seconds of the shortest, the median and the longest clip."""


@dataclass(frozen=True, slots=True)
class Report:
    """What :func:`check` found."""

    root: str
    decoded: bool
    """Whether every frame was decoded, or only ``SAMPLED_FRAMES`` of each clip."""
    splits: Mapping[Split, SplitReport]
    samples_per_epoch: int
    """Clips of the training split, or its subjects with ``id_sampling``, times repeats."""
    findings: Mapping[Finding, tuple[str, ...]]
    """What each finding concerns, each with its details."""
    counts: Mapping[Path, int]
    """Frames that really decode, up to the last good one, where every frame was decoded: by path."""

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not any(finding.wrong for finding in self.findings)

    def to_json(self) -> dict[str, Any]:
        """Plain values, for a file."""
        return {
            "root": self.root,
            "ok": self.ok,
            "decoded": self.decoded,
            "splits": {split: _plain(part) for split, part in self.splits.items()},
            "samples_per_epoch": self.samples_per_epoch,
            "findings": {finding.name.lower(): list(names) for finding, names in self.findings.items()},
        }


@dataclass(frozen=True, slots=True)
class Look:
    """What decoding one clip showed."""

    finding: Finding | None = None
    detail: str = ""
    count: int | None = None


def check(
    clips: Mapping[Split, Sequence[Clip]],
    *,
    root: str,
    unreadable: Sequence[str] = (),
    ignored: Sequence[str] = (),
    flat: bool = False,
    decode: bool = False,
    id_sampling: bool = False,
    repeats: int = 1,
) -> Report:
    """Look at a data set. Writes nothing.

    Args:
        clips: The clips of each split.
        root: Where they are, for the report.
        unreadable: The index's problems.
        ignored: What the index passed over.
        flat: Whether it is a folder without splits, in which none is missed.
        decode: Decode every frame instead of a few of each clip.
        id_sampling: Whether a sample is a subject, then one of its clips; without, a clip.
        repeats: How often an epoch goes over them.

    """
    pairs = [(split, clip) for split in SPLITS for clip in clips.get(split, ())]
    looks = _look_at([clip for _, clip in pairs], decode)
    found: dict[Finding, list[str]] = defaultdict(list)
    found[Finding.UNREADABLE] += unreadable
    found[Finding.IGNORED] += ignored
    found[Finding.EMPTY_SPLIT] += (
        [] if flat else [split for split in ("train", "test") if not clips.get(split)]
    )
    found[Finding.SHARED_SUBJECT] += _shared_subjects(clips)
    for finding, name in (*_in_looks(pairs, looks), *_in_facts(pairs, decode), *_copied(pairs)):
        found[finding].append(name)
    return Report(
        root=root,
        decoded=decode,
        splits=_summaries(pairs, looks),
        samples_per_epoch=len({c.subject if id_sampling else c.name for c in clips.get("train", ())})
        * repeats,
        findings={finding: tuple(found[finding]) for finding in Finding if found[finding]},
        counts={
            c.path: look.count for (_, c), look in zip(pairs, looks, strict=True) if look.count is not None
        },
    )


def _copied(pairs: Sequence[Pair]) -> Iterator[tuple[Finding, str]]:
    for (split, clip), (other_split, other) in copies(pairs):
        finding = Finding.DUPLICATE if split == other_split else Finding.LEAK
        yield finding, f"{split}/{clip.name} = {other_split}/{other.name}"


def _look_at(clips: Sequence[Clip], decode: bool) -> list[Look]:
    with ThreadPoolExecutor(_THREADS) as pool:
        looks = pool.map(_look_at_all if decode else _look_at_some, clips)
        return list(with_progress(looks, "decoding" if decode else "looking at clips", len(clips)))


def _in_looks(pairs: Sequence[Pair], looks: Sequence[Look]) -> Iterator[tuple[Finding, str]]:
    for (split, clip), look in zip(pairs, looks, strict=True):
        if look.finding is not None:
            yield look.finding, f"{split}/{clip.name}: {look.detail}"


def _in_facts(pairs: Sequence[Pair], decode: bool) -> Iterator[tuple[Finding, str]]:
    for split, clip in pairs:
        if clip.num_frames < 2:
            yield Finding.TOO_SHORT, f"{split}/{clip.name}: {clip.num_frames} frame"
        if clip.size[0] != clip.size[1]:
            yield Finding.NOT_SQUARE, f"{split}/{clip.name}: {_size_text(clip.size)}"
        if decode and isinstance(clip.reader, FrameFolderSource) and (sizes := _several_sizes(clip)):
            yield Finding.MIXED_SIZES, f"{split}/{clip.name}: {sizes}"


def evenly(num_frames: int, count: int) -> list[int]:
    """Choose up to ``count`` frame numbers from the first to the last, evenly spaced."""
    return sorted({round(i) for i in np.linspace(0, num_frames - 1, count)})


def is_still(frames: NDArray[np.uint8]) -> bool:
    """Tell whether hardly anything moves in sampled frames (T, H, W, 3); ``STILL_SHARE`` has the rule."""
    change = np.abs(frames[1:].astype(np.int16) - frames[0]).max(axis=-1)
    return bool(((change > STILL_LEVELS).mean(axis=(1, 2)) <= STILL_SHARE).all())


def _look_at_some(clip: Clip) -> Look:
    try:
        reader = clip.reader.open(clip)
        frames = reader.frames(evenly(clip.num_frames, SAMPLED_FRAMES), STILL_SIZE)
        if len(frames) > 1 and is_still(frames):  # a loop can show the same phase each time: look closer
            frames = reader.frames(evenly(clip.num_frames, CLOSER_FRAMES), STILL_SIZE)
    except (UserError, OSError) as error:
        return Look(Finding.DAMAGED, str(error).removeprefix(str(clip.path)).lstrip(": "))
    if len(frames) > 1 and is_still(frames):
        return Look(Finding.NEAR_STILL, f"{len(frames)} frames of {clip.num_frames} compared")
    return Look()


def _look_at_all(clip: Clip) -> Look:
    good = sorted(set(_good_frames(clip)))
    count = good[-1] + 1 if good else 0
    # What a container holds may be fewer frames than its packets promise; pictures were counted one by one.
    counted = count if isinstance(clip.reader, ContainerSource) else None
    if lost := clip.num_frames - len(good):
        where = f", the last good one is {good[-1]}" if good else ""
        return Look(Finding.DAMAGED, f"{lost} of {clip.num_frames} frames cannot be decoded{where}", counted)
    return replace(_look_at_some(clip), count=counted)


def _good_frames(clip: Clip) -> Iterator[int]:
    if isinstance(clip.reader, ContainerSource):
        yield from _good_in_container(clip, clip.reader)
        return
    reader = ClipCache().open(clip)
    for start in range(0, clip.num_frames, _CHUNK):
        chunk = range(start, min(start + _CHUNK, clip.num_frames))
        try:
            reader.frames(chunk, None)
            yield from chunk
        except FrameError:
            yield from (i for i in chunk if _is_good(i, clip))


def _good_in_container(clip: Clip, source: ContainerSource) -> Iterator[int]:
    """One pass from the start; which frame it is tells its time stamp."""
    times = source.info.unpack(clip.path).times
    try:
        for count, frame in enumerate(stream(clip.path, 0, clip.num_frames)):
            yield int(np.abs(times - float(frame.time)).argmin()) if source.info.seekable else count
    except UserError:
        return


def _is_good(index: int, clip: Clip) -> bool:
    try:
        clip.reader.open(clip).frames([index], None)
    except FrameError:
        return False
    return True


def _several_sizes(clip: Clip) -> str:
    sizes = Counter(_size_text(size) for path in list_frames(clip.path) if (size := _size_of(path)))
    return ", ".join(f"{size} ({n})" for size, n in sizes.most_common()) if len(sizes) > 1 else ""


def _size_of(path: Path) -> tuple[int, int] | None:
    try:
        return upright_size(path)
    except UserError:
        return None


def _shared_subjects(clips: Mapping[Split, Sequence[Clip]]) -> list[str]:
    """Subjects that are known by name; a clip that stands for itself is not one."""
    named = {s: {c.subject for c in part if c.subject != c.name} for s, part in clips.items()}
    held_out = named.get("val", set()) | named.get("test", set())
    return sorted(named.get("train", set()) & held_out)


def _summaries(pairs: Sequence[Pair], looks: Sequence[Look]) -> dict[Split, SplitReport]:
    """Numbers per split, with the counts that decoding has shown."""
    parts: dict[Split, list[Clip]] = defaultdict(list)
    for (split, clip), look in zip(pairs, looks, strict=True):
        counted = clip if look.count is None else replace(clip, num_frames=look.count, exact=True)
        parts[split].append(counted)
    return {split: _summary(part) for split, part in parts.items()}


def _summary(clips: Sequence[Clip]) -> SplitReport:
    frames = sorted(clip.num_frames for clip in clips)
    seconds = sorted(clip.num_frames / clip.fps for clip in clips)
    middle = len(clips) // 2
    return SplitReport(
        clips=len(clips),
        subjects=len({clip.subject for clip in clips}),
        frames=sum(frames),
        exact=all(clip.exact for clip in clips),
        seconds=sum(seconds),
        sizes=dict(Counter(_size_text(clip.size) for clip in clips).most_common()),
        fps=dict(Counter(f"{clip.fps:.3f}".rstrip("0").rstrip(".") for clip in clips).most_common()),
        num_frames=(frames[0], frames[middle], frames[-1]),
        durations=(seconds[0], seconds[middle], seconds[-1]),
    )


def _size_text(size: tuple[int, int]) -> str:
    return f"{size[1]}x{size[0]}"


def _plain(part: SplitReport) -> dict[str, Any]:
    return {name: getattr(part, name) for name in SplitReport.__slots__}
