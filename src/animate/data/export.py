"""Drawn clips as files: the layout of a data folder, with the truth in a sidecar beside each clip."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from animate import __version__
from animate.data.annotations import content_of
from animate.data.index import with_progress
from animate.data.sheet import contact_sheet
from animate.errors import UserError
from animate.sidecars import Header, Key, place, write_sidecar
from animate.video.atomic import check_replaceable, destination, discard, explain, sweep, temporary_name
from animate.video.encode import VideoWriter
from animate.video.image import write_image

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from animate.data.clips import ClipReader
    from animate.data.index import Clip, ClipIndex, Split

SIDECAR_KEYS = ("points", "visible", "identity")
SHEET_NAME = "contact_sheet.png"
_CHUNK = 32


def export(
    index: ClipIndex, output: Path, splits: Sequence[Split], size: tuple[int, int], suffix: str = ".mp4"
) -> None:
    """Write the clips of an index as ``output/SPLIT/NAME`` with sidecars and a contact sheet.

    A sidecar ``NAME.truth.drawn.npz`` holds ``points`` (N, J, 2) float32 in [-1, 1], ``visible`` (N, J) bool
    and ``identity`` () int64; another, ``NAME.mattes.drawn.npz``, the mattes, where they are
    known. The folder appears when everything is written.

    Args:
        index: Where the clips come from.
        output: A folder that is not there yet, or is empty.
        splits: Which splits to write.
        size: (height, width) of the frames.
        suffix: ``.mp4`` and the like, or nothing for a folder of PNGs per clip.

    Raises:
        UserError: The folder is not empty, or cannot be written.

    """
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise UserError(f"{output}: is there and is not an empty folder; name a new one with --output")
    check_replaceable(output)
    place = destination(output)
    sweep(place.parent, place.suffix, place.stem)
    temporary = temporary_name(place)
    clips = {split: index.clips(split) for split in splits}
    every = [(split, clip) for split, part in clips.items() for clip in part]
    try:
        for split, clip in with_progress(every, "drawing clips", len(every)):
            write_clip(clip, temporary / split, size, suffix)
        write_image(temporary / SHEET_NAME, contact_sheet(clips))
        temporary.replace(place)
    except OSError as error:
        raise explain(output, error) from error
    finally:
        discard(temporary)


def write_clip(clip: Clip, folder: Path, size: tuple[int, int], suffix: str) -> None:
    """Write one clip and its sidecars into ``folder``."""
    target = folder / f"{clip.name}{suffix}"
    target.parent.mkdir(parents=True, exist_ok=True)
    reader = clip.reader.open(clip)
    with VideoWriter(target, clip.fps) as writer:
        for start in range(0, clip.num_frames, _CHUNK):
            for image in reader.frames(range(start, min(start + _CHUNK, clip.num_frames)), size):
                writer.write(image)
    _write_truth(clip, reader, target, size)
    if "person_mask" in reader.truth([0], size):
        _write_mattes(clip, reader, target, size)


def _write_truth(clip: Clip, reader: ClipReader, target: Path, size: tuple[int, int]) -> None:
    truth = reader.truth(range(clip.num_frames), size)
    arrays = {key: np.asarray(truth[key]) for key in SIDECAR_KEYS}
    key = Key("truth", "drawn", __version__, content_of(target))
    with write_sidecar(place(key, target, None)) as sidecar:
        for name, array in arrays.items():
            sidecar.add(name, array)
        seen = int(arrays["visible"].any(axis=1).sum())
        sidecar.finish(Header(key, clip.num_frames, size, seen, str(truth["layout"])))


def _write_mattes(clip: Clip, reader: ClipReader, target: Path, size: tuple[int, int]) -> None:
    key = Key("mattes", "drawn", __version__, content_of(target))
    with write_sidecar(place(key, target, None)) as sidecar:
        seen = sum(
            sidecar.add_matte(number, reader.truth([number], size)["person_mask"][0])
            for number in range(clip.num_frames)
        )
        sidecar.finish(Header(key, clip.num_frames, size, seen))
