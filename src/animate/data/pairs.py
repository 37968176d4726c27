"""Pairs of videos that belong together: predictions and their targets, in files.

A clip is a video, a folder of pictures (its frames, in natural order) or a single picture. In two folders,
clips of the same relative name belong together; a file's suffix is no part of the name, so that ``id1.mp4``
goes with ``id1/`` and with ``id1.mp4/``.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from animate.data.frame_files import is_hidden, upright_size
from animate.data.index import printable
from animate.data.layouts import VIDEO_SUFFIXES
from animate.errors import UserError
from animate.video.decode import count_good, stream
from animate.video.image import PICTURE_SUFFIXES, resize
from animate.video.probe import codec_of, probe

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    Size = tuple[int, int]

LOSSLESS = frozenset(
    {"ffv1", "huffyuv", "ffvhuff", "utvideo", "rawvideo", "png", "apng", "bmp", "tif", "tiff", "qtrle"}
)
"""Codecs, and suffixes of pictures, that give back the pixels that were put in."""
_NAMED = 3


@dataclass(frozen=True, slots=True)
class Footage:
    """A clip in files."""

    path: Path
    """What ``video.decode.stream`` takes."""
    frames: int
    size: Size
    """(height, width) of the first frame, upright."""
    codecs: tuple[str, ...]
    """Of the video, or the suffixes of the pictures."""

    @property
    def lossy(self) -> list[str]:
        """The codecs that change pixels."""
        return [codec for codec in self.codecs if codec not in LOSSLESS]


@dataclass(frozen=True, slots=True)
class Pair:
    """A prediction and its target, with as many frames."""

    name: str
    prediction: Footage
    target: Footage
    mask: Footage | None = None


class Frames(NamedTuple):
    """Some consecutive frames of a pair."""

    prediction: NDArray[np.uint8]
    """(n, H, W, 3)."""
    target: NDArray[np.uint8]
    """(n, H, W, 3)."""
    mask: NDArray[np.float32] | None
    """(n, H, W) in [0, 1]."""


class Paired(NamedTuple):
    """What two places hold."""

    pairs: list[Pair]
    """By name."""
    skipped: list[str]
    """Clips that cannot be read, each ``name: reason``."""


def find_pairs(prediction: Path, target: Path, mask: Path | None = None) -> Paired:
    """Find what belongs together in two folders, or take two clips as they are named.

    Args:
        prediction: a folder of clips, or one clip.
        target: the same.
        mask: a place with a matte for each target, white on the figure.

    Raises:
        UserError: there are no clips, one of them has no counterpart, or two have different lengths.

    """
    found = [find_footage(prediction), find_footage(target)]
    if mask is not None:
        found.append(find_footage(mask))
    single = [len(places) == 1 and "" in places for places in found]
    if not all(single):
        for places, where in zip(found[1:], (target, mask), strict=False):
            _check_names(found[0], places, prediction, where)
    paired = Paired([], [])
    for name in sorted(found[0]):
        called = name or target.stem
        try:
            pair = Pair(called, *(look_at(places[name]) for places in found))
        except (UserError, OSError) as error:
            paired.skipped.append(printable(f"{called}: {' '.join(str(error).split())}"))
            continue
        _check_lengths(pair)
        paired.pairs.append(pair)
    if not paired.pairs:
        raise UserError(f"{prediction}: none of its clips can be read; the first: {paired.skipped[0]}")
    return paired


def find_footage(place: Path) -> dict[str, Path]:
    """Find the clips in a folder by name; a clip named by itself has the name ''.

    Raises:
        UserError: there are none, or two have the same name.

    """
    if place.is_file():
        return {"": place}
    if not place.is_dir():
        raise UserError(f"{place}: no such file or folder")
    found: dict[str, Path] = {}
    for path in (place, *sorted(place.rglob("*"))):
        relative = path.relative_to(place)
        if any(is_hidden(part) for part in relative.parts) or not _is_clip(path):
            continue
        name = _name(relative)
        if name in found:
            raise UserError(f"{found[name]} and {path} have the same name; remove one of them")
        found[name] = path
    if not found:
        raise UserError(f"{place} holds neither videos nor pictures")
    return found


def _is_clip(path: Path) -> bool:
    if not path.is_dir():
        return path.suffix.lower() in VIDEO_SUFFIXES
    return any(_is_picture(entry) for entry in path.iterdir())


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in PICTURE_SUFFIXES and not is_hidden(path.name)


def _name(relative: Path) -> str:
    is_video = relative.suffix.lower() in VIDEO_SUFFIXES
    name = (relative.with_suffix("") if is_video else relative).as_posix()
    return "" if name == "." else name


def _check_names(ours: dict[str, Path], theirs: dict[str, Path], here: Path, there: Path | None) -> None:
    for some, others, missing_in in ((ours, theirs, there), (theirs, ours, here)):
        if lonely := sorted(some.keys() - others.keys()):
            more = f" and {len(lonely) - _NAMED} more" if len(lonely) > _NAMED else ""
            named = ", ".join(str(some[name]) for name in lonely[:_NAMED])
            raise UserError(
                f"{missing_in} has no counterpart for {named}{more}: names must be equal but for the suffix"
            )


def pictures_of(path: Path) -> list[Path]:
    """List the pictures of a folder; a picture is its own list, and a video has none."""
    if path.is_dir():
        return sorted(entry for entry in path.iterdir() if _is_picture(entry))
    return [path] if _is_picture(path) else []


def look_at(path: Path) -> Footage:
    """Learn what a clip holds without decoding all of it.

    Raises:
        UserError: it cannot be read.

    """
    if path.is_dir() or path.suffix.lower() in PICTURE_SUFFIXES:
        pictures = pictures_of(path)
        suffixes = {picture.suffix.lower().removeprefix(".") for picture in pictures}
        return Footage(path, len(pictures), upright_size(pictures[0]), tuple(sorted(suffixes)))
    info = probe(path)
    return Footage(path, info.num_frames, (info.height, info.width), (codec_of(path),))


def check_decodes(pair: Pair) -> None:
    """Decode a pair once before anything is scored, so that a torn one is left out as a whole.

    Raises:
        UserError: some of its frames cannot be decoded.

    """
    for footage in (pair.prediction, pair.target, pair.mask):
        if footage is None:
            continue
        pictures = bool(pictures_of(footage.path))
        good = sum(1 for _ in stream(footage.path)) if pictures else count_good(probe(footage.path))
        if good < footage.frames:
            lost = footage.frames - good
            raise UserError(f"{footage.path}: {lost} of {footage.frames} frames cannot be decoded")


def _check_lengths(pair: Pair) -> None:
    for other in (pair.prediction, pair.mask):
        if other is not None and other.frames != pair.target.frames:
            raise UserError(
                f"{other.path} has {other.frames} frames and {pair.target.path} has {pair.target.frames}:"
                " cut them to the same frames"
            )
        if other is not None:
            _check_picture_names(other.path, pair.target.path)


def _check_picture_names(ours: Path, theirs: Path) -> None:
    """Raise ``UserError`` where pictures would be compared in order though their names say otherwise.

    Numbered frames belong together by their order, however they are numbered.
    """
    names = [{picture.stem for picture in pictures_of(path)} for path in (ours, theirs)]
    if ours.is_dir() and theirs.is_dir() and names[0] != names[1]:
        strange = [name for name in sorted(names[0] ^ names[1]) if not any(map(str.isdecimal, name))]
        if strange:
            raise UserError(
                f"{strange[0]} is a picture in one of {ours} and {theirs} only; give both the same"
            )


def check_sizes(pairs: Sequence[Pair]) -> None:
    """Raise ``UserError`` where frames would have to be resized to be compared."""
    for pair in pairs:
        for other in (pair.prediction, pair.mask):
            if other is not None and other.size != pair.target.size:
                raise UserError(
                    f"{other.path} is {_shown(other.size)} and {pair.target.path} is"
                    f" {_shown(pair.target.size)}: name the size to compare them in with --resize"
                )


def _shown(size: Size) -> str:
    return f"{size[1]}x{size[0]}"


def read_pair(pair: Pair, size: Size | None, count: int) -> Iterator[Frames]:
    """Yield all frames of a pair in order, ``count`` at a time.

    Args:
        pair: what to read.
        size: (height, width) that all frames are resized to, the aspect is not kept; their own without it.
        count: frames at a time.

    Raises:
        UserError: a frame cannot be read, or the clips turn out to have different lengths.

    """
    clips = [pair.prediction, pair.target, *([pair.mask] if pair.mask else [])]
    streams = [stream(footage.path) for footage in clips]
    gathered: list[list[NDArray[np.uint8]]] = []
    for frames in zip_longest(*streams):
        if None in frames:
            raise UserError(f"{pair.name}: the clips have different lengths after all; were they changed?")
        gathered.append([resize(frame.image, size) if size else frame.image for frame in frames])
        if len(gathered) == count:
            yield _stacked(gathered)
            gathered = []
    if gathered:
        yield _stacked(gathered)


def _stacked(gathered: list[list[NDArray[np.uint8]]]) -> Frames:
    prediction, target, *mask = (np.stack(frames) for frames in zip(*gathered, strict=True))
    matte = mask[0].mean(axis=-1, dtype=np.float32) / np.float32(255) if mask else None
    return Frames(prediction, target, matte)
