"""The files of ``animate crop``: clips, ``manifest.csv`` for training, ``crops.csv`` for people, a sheet."""

from __future__ import annotations

import csv
from contextlib import closing
from dataclasses import dataclass, field, fields, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

from animate.annotate.frames import ClipFrames, Clock
from animate.annotate.sheet import CELL, bordered, rectangle
from animate.annotate.tubes import LinkRules, link, scene_cuts
from animate.cli.console import counted, track
from animate.data.check import evenly
from animate.data.layouts import VIDEO_SUFFIXES
from animate.data.sheet import text_cell
from animate.errors import UserError
from animate.pipelines.crop import Framing, Sound, cut_share, squares, write_crop
from animate.video.grid import tile
from animate.video.image import resize, write_image

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from animate.annotate.frames import Numbered
    from animate.annotate.tubes import Tube
    from animate.cli.crop import Detected, Wanted
    from animate.data.index import Clip

_GAP = 0.25  # seconds that a figure may be missed without its clip ending
_HOME = 0.25  # IoU with its first box, below which a figure has left the place of a fixed square
_ENLARGED = 1.1  # factor from which it is worth a word
_SHOWN_ROWS, _SHOWN_FRAMES = 40, 5
SHEET = "contact_sheet.png"


@dataclass(frozen=True, slots=True)
class Row:
    """A figure that was followed, and what became of it: a line of ``crops.csv``."""

    clip: str
    """Its file, relative to the output folder; empty where it was left out."""
    split: str
    source: str
    """The file that it was cut out of."""
    subject: str
    """A name for that file that no other of the inputs has."""
    start: int
    """Its first frame in the source."""
    stop: int
    """The frame after its last."""
    start_seconds: float
    end_seconds: float
    box: float
    """Median of the shorter side of the figure's boxes, in pixels of the source."""
    left: float
    """The square in pixels of the source; of one that moves, the medians."""
    top: float
    side: float
    notes: tuple[str, ...]
    """What somebody should know, or why it was left out."""


@dataclass(slots=True)
class Crops:
    """What came out."""

    rows: list[Row] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    """Clips that could not be read, each ``name: reason``."""
    pictures: list[list[NDArray[np.uint8]]] = field(default_factory=list)
    """The rows of the sheet."""


def write_crops(detected: Detected, wanted: Wanted, folder: Path) -> Crops:
    """Write everything into ``folder``.

    Raises:
        UserError: no clip came out; or the folder cannot be written.

    """
    crops = Crops()
    names = _names(detected.clips)
    for clip in track(detected.clips, "cropping", len(detected.clips), "inputs"):
        try:
            _crop(clip, names[clip.path], detected, wanted, folder, crops)
        except UserError as error:
            crops.failed.append(f"{clip.name}: {error}")
    if not any(row.clip for row in crops.rows):
        raise UserError(f"nothing to crop: {_why_nothing(crops, detected)}")
    _split(crops, wanted.test_share, folder)
    _write_tables(crops, folder)
    write_image(folder / SHEET, tile(crops.pictures, cell=CELL))
    return crops


def _names(clips: Sequence[Clip]) -> dict[Path, str]:
    """Make up a name for the crops of each clip, with which no two collide."""
    names: dict[Path, str] = {}
    for clip in clips:
        path = PurePosixPath(clip.name)
        plain = path.with_suffix("") if path.suffix.lower() in VIDEO_SUFFIXES else path
        name = "_".join(part for part in plain.parts if part not in ("/", ".."))
        taken = set(names.values())
        number = next(n for n in range(1, len(clips) + 1) if _numbered(name, n) not in taken)
        names[clip.path] = _numbered(name, number)
    return names


def _numbered(name: str, number: int) -> str:
    return name if number == 1 else f"{name}-{number}"


def _crop(clip: Clip, name: str, detected: Detected, wanted: Wanted, folder: Path, crops: Crops) -> None:
    """Follow the figures of a clip and write those that are wanted."""
    clock = Clock.of(clip)
    rules = LinkRules(home=0.0 if wanted.smooth else _HOME, max_gap=round(_GAP * float(clock.fps)))
    tubes = link(detected.boxes(clip), rules, scene_cuts(ClipFrames(clip).read()))
    written = 0
    for tube in tubes:
        where = squares(tube, clip.size, float(clock.fps), Framing(wanted.margin, wanted.smooth))
        row = replace(_row(clip, clock, tube, where, wanted), subject=name)
        if not row.notes:
            target = folder / f"{name}_{written:03d}.mp4"
            pictures = _write(clip, clock, tube, where, target, wanted.size)
            row = replace(row, clip=target.name, notes=_remarks(clip, tube, where, wanted))
            if len(crops.pictures) < _SHOWN_ROWS:
                crops.pictures.append([_label(row), *pictures])
            written += 1
        crops.rows.append(row)


def _row(clip: Clip, clock: Clock, tube: Tube, where: NDArray[np.float64], wanted: Wanted) -> Row:
    """Describe a figure; notes say why it is not wanted, if so."""
    sides = (tube.boxes[:, 2:] - tube.boxes[:, :2]).min(axis=1)
    box = float(np.median(sides[tube.seen]))
    start, end = clock.time(tube.start), clock.time(tube.stop)
    notes = []
    if end - start < wanted.min_length - 1e-6:
        notes.append(f"too short: {end - start:.2f} s")
    if box < wanted.min_size:
        notes.append(f"too small: {box:.0f} pixels")
    left, top, side = np.median(where, axis=0).round(2).tolist()
    numbers = (tube.start, tube.stop, round(start, 6), round(end, 6), round(box, 1), left, top, side)
    return Row("", "", str(clip.path), "", *numbers, tuple(notes))


def _remarks(clip: Clip, tube: Tube, where: NDArray[np.float64], wanted: Wanted) -> tuple[str, ...]:
    """Tell what is not as good as it could be about a clip."""
    remarks = []
    side = float(np.median(where[:, 2]))
    if side * _ENLARGED < wanted.size:
        remarks.append(f"small: {side:.0f} pixels enlarged to {wanted.size}")
    if share := cut_share(tube, clip.size):
        remarks.append(f"cut: at the edge of the picture in {share:.0%} of its frames")
    far = where[:, :2] + where[:, 2:]
    if (where[:, :2] < 0).any() or (far > np.array(clip.size[::-1])).any():
        remarks.append("the square reaches over the edge of the picture, which is repeated there")
    if not tube.seen.all():
        remarks.append(f"not found in {int((~tube.seen).sum())} of {len(tube.seen)} frames")
    return tuple(remarks)


def _write(
    clip: Clip, clock: Clock, tube: Tube, where: NDArray[np.float64], target: Path, size: int
) -> list[NDArray[np.uint8]]:
    """Write the clip; return pictures of it, the first of them the source with the box and the square."""
    shown = {tube.start + i for i in evenly(len(tube.boxes), _SHOWN_FRAMES)}
    pictures: list[NDArray[np.uint8]] = []

    def keep(frame: Numbered, square: NDArray[np.uint8]) -> None:
        if frame.number in shown:
            if not pictures:
                pictures.append(_overview(frame, tube, where))
            pictures.append(resize(square, CELL))

    end = clock.time(tube.stop) if tube.stop < clip.num_frames else None
    with closing(ClipFrames(clip, tube.start, tube.stop).read()) as frames:
        write_crop(
            frames,
            lambda number: where[number - tube.start],
            target,
            size=size,
            fps=clock.fps,
            sound=Sound(clip.path, end) if clock.has_audio else None,
            keep=keep,
        )
    return pictures


def _overview(frame: Numbered, tube: Tube, where: NDArray[np.float64]) -> NDArray[np.uint8]:
    scale = min(CELL[0] / frame.image.shape[0], CELL[1] / frame.image.shape[1])
    height, width = (max(1, round(side * scale)) for side in frame.image.shape[:2])
    left, top, side = where[frame.number - tube.start]
    image = resize(frame.image, (height, width))
    image = rectangle(image, (tube.boxes[frame.number - tube.start] * scale).tolist(), (255, 220, 40))
    return rectangle(image, [scale * value for value in (left, top, left + side, top + side)])


def _label(row: Row) -> NDArray[np.uint8]:
    length = row.end_seconds - row.start_seconds
    cell = text_cell("\n".join([row.clip, f"{length:.1f} s", *row.notes]), CELL)
    return bordered(cell) if row.notes else cell


def _split(crops: Crops, share: float, folder: Path) -> None:
    """Hold out whole inputs, the last ones; of a single input its last clips. Move the files accordingly."""
    kept = [row for row in crops.rows if row.clip]
    sources = {row.subject for row in kept}
    units = [row.subject if len(sources) > 1 else row.clip for row in kept]
    every = list(dict.fromkeys(units))
    count = max(1, round(share * len(every))) if share > 0 and len(every) > 1 else 0
    held_out = set(every[len(every) - count :])
    splits = {
        row.clip: "test" if unit in held_out else "train" for row, unit in zip(kept, units, strict=True)
    }
    for split in set(splits.values()):
        (folder / split).mkdir()
    for clip, split in splits.items():
        (folder / clip).rename(folder / split / clip)
    crops.rows[:] = [
        replace(row, clip=f"{splits[row.clip]}/{row.clip}", split=splits[row.clip]) if row.clip else row
        for row in crops.rows
    ]


def _write_tables(crops: Crops, folder: Path) -> None:
    with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("path", "split", "subject"))
        writer.writerows((row.clip, row.split, row.subject) for row in crops.rows if row.clip)
    with (folder / "crops.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(field.name for field in fields(Row))
        writer.writerows([*_values(row), "; ".join(row.notes)] for row in crops.rows)


def _values(row: Row) -> list[object]:
    return [getattr(row, field.name) for field in fields(Row) if field.name != "notes"]


def _why_nothing(crops: Crops, detected: Detected) -> str:
    if crops.rows:
        first = "; ".join(crops.rows[0].notes)
        return f"of {counted(len(crops.rows), 'figure')} none is wanted; the first is {first}"
    reasons = [*crops.failed, *detected.failed]
    return reasons[0] if reasons else f"no figure was found in {counted(len(detected.clips), 'clip')}"
