"""Pictures for looking at: a table of pictures, and keypoints drawn on one."""

from __future__ import annotations

import colorsys
from typing import TYPE_CHECKING

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from animate.video.image import resize

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

VISIBLE = 128
"""Pixels under which the side of a picture in a table is hard to see."""
_SMALLEST_LETTERS = 6.0  # pixels
_SUBPIXEL_BITS = 4  # OpenCV's fixed-point drawing coordinates
_FAR = 2.0  # a picture spans [-1,1]; OpenCV's coordinates overflow on what a diverging model may give


def tile(
    rows: Sequence[Sequence[NDArray[np.uint8]]],
    labels: Sequence[str] | None = None,
    cell: tuple[int, int] | None = None,
) -> NDArray[np.uint8]:
    """Lay pictures out as a table with white gutters.

    Args:
        rows: rows of pictures (H,W,3) uint8 RGB; a row may be shorter than others, its end stays white.
        labels: the columns' names, drawn above them.
        cell: (height, width) that every picture is fitted into, aspect kept; if None the first picture's
            size, times the whole number that makes its shorter side at least ``VISIBLE`` pixels.

    Returns:
        (H,W,3) uint8 RGB.

    """
    if not rows or not rows[0]:
        raise ValueError("a table needs at least one picture")
    height, width = cell or _visible_size(rows[0][0])
    gutter = max(2, min(height, width) // 32)
    header = _header_height(height) if labels else 0
    columns = max(len(row) for row in rows)
    table = np.full(
        (header + gutter + len(rows) * (height + gutter), gutter + columns * (width + gutter), 3),
        255,
        np.uint8,
    )
    for i, row in enumerate(rows):
        for j, image in enumerate(row):
            top, left = header + gutter + i * (height + gutter), gutter + j * (width + gutter)
            table[top : top + height, left : left + width] = _fit(image, (height, width))
    return _label(table, labels, header, width, gutter) if labels else table


def _visible_size(image: NDArray[np.uint8]) -> tuple[int, int]:
    height, width = image.shape[:2]
    times = max(1, -(-VISIBLE // min(height, width)))
    return times * height, times * width


def _header_height(height: int) -> int:
    return max(12, height // 9)


def _fit(image: NDArray[np.uint8], cell: tuple[int, int]) -> NDArray[np.uint8]:
    """Scale the picture to fit into the cell, centred on white."""
    scale = min(cell[0] / image.shape[0], cell[1] / image.shape[1])
    size = max(1, round(image.shape[0] * scale)), max(1, round(image.shape[1] * scale))
    canvas = np.full((*cell, 3), 255, np.uint8)
    top, left = (cell[0] - size[0]) // 2, (cell[1] - size[1]) // 2
    canvas[top : top + size[0], left : left + size[1]] = resize(image, size)
    return canvas


def _label(
    table: NDArray[np.uint8], labels: Sequence[str], header: int, width: int, gutter: int
) -> NDArray[np.uint8]:
    picture = Image.fromarray(table)
    draw = ImageDraw.Draw(picture)
    for column, label in enumerate(labels):
        font = _font(label, 0.75 * header, width)
        centre = gutter + column * (width + gutter) + width / 2
        draw.text((centre, (header + gutter) / 2), label, fill=(40, 40, 40), font=font, anchor="mm")
    return np.array(picture)


def _font(label: str, height: float, width: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Choose the largest font up to ``height`` px in which the label is no wider than ``width`` px."""
    # Step by step: letters are fitted to whole pixels, so that their width is not in proportion to the size.
    sizes = np.arange(height, _SMALLEST_LETTERS, -0.5)
    fonts = (ImageFont.load_default(float(size)) for size in sizes)
    fitting = (font for font in fonts if font.getlength(label) <= width)
    return next(fitting, ImageFont.load_default(_SMALLEST_LETTERS))


def draw_keypoints(image: NDArray[np.uint8], points: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Draw a disc at each point, each in a colour of its own, anti-aliased, with a dark rim.

    Args:
        image: (H,W,3) uint8 RGB; not changed.
        points: (K,2) as (x, y) in [-1,1], the centres of the corner pixels at -1 and 1. Points that are far
            outside or not finite are left out.

    Returns:
        (H,W,3) uint8 RGB.

    """
    drawn = np.ascontiguousarray(image).copy()
    height, width = image.shape[:2]
    radius = max(1.5, min(height, width) / 40)
    one = 1 << _SUBPIXEL_BITS
    for (x, y), colour in zip(points, _colours(len(points)), strict=True):
        if not (abs(x) < _FAR and abs(y) < _FAR):
            continue
        centre = round((x + 1) / 2 * (width - 1) * one), round((y + 1) / 2 * (height - 1) * one)
        for size, paint in ((radius * 1.35, (20, 20, 20)), (radius, colour)):
            cv2.circle(drawn, centre, round(size * one), paint, cv2.FILLED, cv2.LINE_AA, _SUBPIXEL_BITS)
    return drawn


def _colours(count: int) -> list[tuple[int, int, int]]:
    """Hues evenly around the circle, every second one darker so that neighbours differ."""
    colours = []
    for i in range(count):
        red, green, blue = colorsys.hsv_to_rgb(i / count, 0.9, 1.0 if i % 2 == 0 else 0.75)
        colours.append((round(255 * red), round(255 * green), round(255 * blue)))
    return colours
