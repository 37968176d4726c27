"""A contact sheet: a few frames of many clips in one picture, to look at a data set."""

from __future__ import annotations

import textwrap
import unicodedata
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from animate.data.check import evenly
from animate.errors import UserError
from animate.video.grid import tile

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from animate.data.clips import ClipReader
    from animate.data.index import Clip, Split

CELL = (96, 96)
_FONT_SIZE = 11
_LETTERS = 15  # of that font fit into the width of a cell


def contact_sheet(
    clips: Mapping[Split, Sequence[Clip]], max_rows: int = 24, columns: int = 6
) -> NDArray[np.uint8]:
    """Draw a row per clip: its name, then evenly spaced frames from the first to the last.

    Args:
        clips: The clips of each split; when there are more than ``max_rows``, evenly spaced ones are taken.
        max_rows: Rows of each split, at most.
        columns: Frames of each clip, at most.

    Returns:
        (H, W, 3) uint8 RGB.

    """
    rows = [
        _row(f"{split}/{part[i].name}", part[i], columns)
        for split, part in clips.items()
        if part
        for i in evenly(len(part), max_rows)
    ]
    return tile(rows, cell=CELL)


def _row(label: str, clip: Clip, columns: int) -> list[NDArray[np.uint8]]:
    reader, size, wanted = clip.reader.open(clip), _fitting(clip.size), evenly(clip.num_frames, columns)
    try:
        frames = list(reader.frames(wanted, size))
    except UserError:  # one of them is damaged: show the others
        frames = [_frame(reader, i, size) for i in wanted]
    return [text_cell(f"{label} ({clip.num_frames})"), *frames]


def _frame(reader: ClipReader, index: int, size: tuple[int, int]) -> NDArray[np.uint8]:
    try:
        frame: NDArray[np.uint8] = reader.frames([index], size)[0]
    except UserError:
        return text_cell(f"frame {index} cannot be decoded")
    return frame


def _fitting(size: tuple[int, int]) -> tuple[int, int]:
    """Find the largest size of the same aspect that fits into a cell; small frames are not enlarged."""
    scale = min(1.0, CELL[0] / size[0], CELL[1] / size[1])
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def text_cell(text: str, cell: tuple[int, int] = CELL) -> NDArray[np.uint8]:
    """Write a text into a white picture of (height, width); long lines of it are wrapped."""
    picture = Image.new("RGB", cell[::-1], "white")
    width = _LETTERS * cell[1] // CELL[1]
    wrapped = [textwrap.wrap(line, width) for line in unicodedata.normalize("NFC", text).splitlines()]
    lines = "\n".join(line for part in wrapped for line in part)
    ImageDraw.Draw(picture).text((6, 5), lines, fill=(40, 40, 40), font=ImageFont.load_default(_FONT_SIZE))
    return np.array(picture)
