"""The two long parts of the work, each done in pieces that a killed run need not do again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from animate import safe_json
from animate.annotate.frames import NOT_DECODED, batched
from animate.annotate.protocols import Pose
from animate.errors import UserError
from animate.npz import DAMAGE, open_archive, read_array
from animate.pipelines.pose_set.cutting import cut
from animate.video.atomic import temporary_file
from animate.video.intra import IntraWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from animate.annotate.protocols import PointFinder
    from animate.pipelines.framing import Box
    from animate.pipelines.pose_set.background import Replacement
    from animate.pipelines.pose_set.video import Chunk, Footage

    Advance = Callable[[int, str], None]
    """Is told how many frames are done more, and of what."""

_ARRAYS = ("points", "found", "score")
_GREY = 127
_ANEW = "delete it and run the same command again"
_NOBODY = "no matte of the person"


class Cut(NamedTuple):
    """The frames of a data set, in pieces."""

    parts: list[Path]
    useless: dict[int, str]
    """Frames that nothing can be learned from, by their place, with the reason."""


def find_poses(footage: Footage, finder: PointFinder, folder: Path, advance: Advance) -> Pose:
    """Find the poses in all frames that are used; one that cannot be decoded has none.

    Args:
        footage: the video.
        finder: the back-end.
        folder: where finished pieces lie.
        advance: is told the progress.

    Raises:
        UserError: the video cannot be opened, or the folder not be written.

    """
    pieces = []
    for chunk in footage.chunks():
        path = folder / f"{chunk.place:06d}.npz"
        if not path.exists():
            arrays = _poses_of(footage, chunk, finder)
            with temporary_file(path) as temporary:
                np.savez(temporary, allow_pickle=False, **arrays)
        pieces.append(_kept(path, len(chunk.numbers)))
        advance(len(chunk.numbers), "poses")
    points, found, score = (np.concatenate(arrays) for arrays in zip(*pieces, strict=True))
    return Pose(finder.layout, points, found, score)


def _kept(path: Path, count: int) -> list[NDArray[Any]]:
    """Read the poses of a piece. Raises ``UserError`` for other arrays than :func:`find_poses` writes."""
    try:
        with path.open("rb") as file, open_archive(file) as arrays:
            found = [read_array(arrays, name) for name in _ARRAYS]
    except DAMAGE as error:
        raise UserError(f"{path} is damaged ({error}); {_ANEW}") from error
    if any(len(array) != count for array in found):
        raise UserError(f"{path} has poses of other frames; {_ANEW}")
    return found


def _poses_of(footage: Footage, chunk: Chunk, finder: PointFinder) -> dict[str, NDArray[np.generic]]:
    """Run the back-end over the frames of a piece."""
    count = len(chunk.numbers)
    place = {number: n for n, number in enumerate(chunk.numbers)}
    arrays: dict[str, NDArray[np.generic]] = {}
    for batch in batched(footage.frames(chunk)):
        pose = finder(batch.frames)
        for name in _ARRAYS:
            values = getattr(pose, name)
            rows = arrays.setdefault(name, np.zeros((count, *values.shape[1:]), values.dtype))
            rows[[place[number] for number in batch.numbers]] = values
    return arrays or _nothing(count, finder)


def _nothing(count: int, finder: PointFinder) -> dict[str, NDArray[np.generic]]:
    """Tell of frames of which none can be decoded, in the shapes of the back-end."""
    pose = finder(np.full((1, 32, 32, 3), _GREY, np.uint8))
    return {name: np.repeat(np.zeros_like(getattr(pose, name)), count, axis=0) for name in _ARRAYS}


def cut_frames(
    footage: Footage,
    box: Box,
    size: tuple[int, int],
    folder: Path,
    advance: Advance,
    replacement: Replacement | None = None,
) -> Cut:
    """Cut the frames that are used out of the video, into files of random access.

    Args:
        footage: the video.
        box: the part of its pictures.
        size: (height, width) that the part is brought to.
        folder: where finished pieces lie.
        advance: is told the progress.
        replacement: puts another background behind the person, before they are cut.

    Raises:
        UserError: the video cannot be opened, the folder not be written, or there are no mattes.

    """
    parts: list[Path] = []
    useless: dict[int, str] = {}
    place = {number: n for n, number in enumerate(footage.numbers)}
    for chunk in footage.chunks():
        path, told = folder / f"{chunk.place:06d}.mp4", folder / f"{chunk.place:06d}.useless.json"
        if not told.exists():  # written last
            found = _write(_pictures(footage, chunk, replacement), footage.fps, chunk, box, size, path)
            reasons = dict.fromkeys(found, NOT_DECODED)
            if replacement is not None:
                reasons |= {n: _NOBODY for n in chunk.numbers if n in replacement.nobody}
            with temporary_file(told) as temporary:
                temporary.write_text(json.dumps(reasons), "utf-8")
        parts.append(path)
        useless |= _reasons(told, place)
        advance(len(chunk.numbers), "frames")
    return Cut(parts, useless)


def _reasons(told: Path, place: Mapping[int, int]) -> dict[int, str]:
    """Read which frames of a piece nothing can be learned from, and why, by their place."""
    try:
        found = safe_json.loads(told.read_text("utf-8"))
        return {place[int(number)]: str(reason) for number, reason in found.items()}
    except (ValueError, KeyError, AttributeError) as error:
        raise UserError(f"{told} is damaged ({error}); {_ANEW}") from error


def _pictures(
    footage: Footage, chunk: Chunk, replacement: Replacement | None
) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Yield the frames of a piece that can be decoded, with their numbers."""
    frames = footage.frames(chunk)
    if replacement is not None:
        return replacement(frames)
    return ((frame.number, frame.image) for frame in frames)


def _write(
    pictures: Iterator[tuple[int, NDArray[np.uint8]]],
    fps: float,
    chunk: Chunk,
    box: Box,
    size: tuple[int, int],
    path: Path,
) -> list[int]:
    """Write the frames of a piece; return the numbers of those that are not among the pictures.

    In their place stands the frame before, or grey where there is none in the piece.
    """
    missing: list[int] = []
    shown = np.full((*size, 3), _GREY, np.uint8)
    following = next(pictures, None)
    with IntraWriter(path, fps, size) as writer:
        for number in chunk.numbers:
            if following is not None and following[0] == number:
                shown = cut(following[1], box, size)
                following = next(pictures, None)
            else:
                missing.append(number)
            writer.write(shown)
    return missing
