"""Contact sheets: what was found, drawn on evenly spaced frames of clips."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import cv2
import numpy as np

from animate.annotate.tubes import boxes_by_frame
from animate.data.check import evenly
from animate.data.clips import open_clip
from animate.data.sheet import text_cell
from animate.errors import UserError
from animate.layouts import LAYOUTS
from animate.sidecars import Sidecar
from animate.video.grid import tile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from animate.annotate.runner import Annotated
    from animate.data.index import Clip

    Picture = NDArray[np.uint8]

CELL = (224, 224)
ROWS, COLUMNS = 12, 6
_BITS = 4  # OpenCV's fixed-point drawing coordinates
_LINE, _POINT, _RIM, _MISSING = (60, 220, 90), (255, 220, 40), (20, 20, 20), (230, 60, 60)
_DOTS = 80.0  # the extent of a figure in radii of a dot
_LEAST_DOT, _DOT = 0.55, 1.4  # pixels
_FAR = 2.0  # a picture spans [-1, 1]


class Drawing(Protocol):
    """Draws what a sidecar says of one frame."""

    def __call__(self, sidecar: Sidecar, number: int, image: Picture) -> tuple[Picture, bool]:
        """Return the picture with the annotation, and whether there is any."""


def annotation_sheet(pairs: Sequence[tuple[Clip, Annotated]], draw: Drawing) -> Picture:
    """Draw a row for each of up to 12 evenly spaced clips: its name, then up to 6 evenly spaced frames.

    A frame in which nothing was found has a red border; a broken one is a cell that says so.
    """
    chosen = [pairs[i] for i in evenly(len(pairs), ROWS)]
    return tile([_row(clip, annotated, draw) for clip, annotated in chosen], cell=CELL)


def _row(clip: Clip, annotated: Annotated, draw: Drawing) -> list[Picture]:
    header = annotated.header
    label = f"{clip.name}\nfound in {header.found} of {header.num_frames} frames"
    with Sidecar(annotated.path) as sidecar:
        cells = [_cell(clip, number, sidecar, draw) for number in evenly(header.num_frames, COLUMNS)]
    return [text_cell(label, CELL), *cells]


def _cell(clip: Clip, number: int, sidecar: Sidecar, draw: Drawing) -> Picture:
    if number in sidecar.header.broken:
        return text_cell(f"frame {number}: {sidecar.header.broken[number]}", CELL)
    try:
        image = open_clip(clip).frames([number], fitting(clip.size))[0]
    except UserError as error:
        return text_cell(f"frame {number}: {error}", CELL)
    drawn, found = draw(sidecar, number, image)
    return drawn if found else bordered(drawn)


def fitting(size: tuple[int, int]) -> tuple[int, int]:
    """Find the largest (height, width) of the same aspect that fits into a cell."""
    scale = min(CELL[0] / size[0], CELL[1] / size[1])
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def bordered(image: Picture) -> Picture:
    """Draw a red border."""
    height, width = image.shape[:2]
    return rectangle(image, (1, 1, width - 1, height - 1), _MISSING)


def rectangle(image: Picture, box: Sequence[float], colour: tuple[int, int, int] = _LINE) -> Picture:
    """Draw a box, (left, top, right, bottom) in pixels measured at pixel edges; returns a new picture."""
    drawn = np.ascontiguousarray(image).copy()
    left, top, right, bottom = (round((value - 0.5) * (1 << _BITS)) for value in box)
    cv2.rectangle(drawn, (left, top), (right, bottom), colour, 2, cv2.LINE_AA, _BITS)
    return drawn


def draw_points(sidecar: Sidecar, number: int, image: Picture) -> tuple[Picture, bool]:
    """Draw the points that were found, and the limbs between them."""
    found = sidecar.array("found")[number] & (np.abs(sidecar.array("points")[number]) < _FAR).all(axis=1)
    size = np.array([image.shape[1] - 1, image.shape[0] - 1])
    places = np.round((sidecar.array("points")[number] + 1) / 2 * size * (1 << _BITS)).astype(int)
    drawn = np.ascontiguousarray(image).copy()
    layout = LAYOUTS.get(sidecar.header.layout)
    for a, b in layout.limbs if layout else ():
        if found[a] and found[b]:
            cv2.line(drawn, places[a].tolist(), places[b].tolist(), _LINE, 1, cv2.LINE_AA, _BITS)
    dots = places[found].tolist()
    radius = _radius(places[found])
    for share, colour in ((1.6, _RIM), (1.0, _POINT)):
        for x, y in dots:
            cv2.circle(drawn, (x, y), round(share * radius), colour, cv2.FILLED, cv2.LINE_AA, _BITS)
    return drawn, bool(found.any())


def _radius(places: NDArray[np.int64]) -> float:
    """Choose the size of dots: smaller on a small figure, so that a face stays to be seen below them."""
    extent = float(np.ptp(places, axis=0).max()) if len(places) else 0.0
    return float(np.clip(extent / _DOTS, _LEAST_DOT * (1 << _BITS), _DOT * (1 << _BITS)))


def draw_boxes(sidecar: Sidecar, number: int, image: Picture) -> tuple[Picture, bool]:
    """Draw the boxes."""
    height, width = sidecar.header.size
    scale = np.array([image.shape[1] / width, image.shape[0] / height] * 2)
    boxes = boxes_by_frame(sidecar)[number] * scale
    for box in boxes:
        image = rectangle(image, box.tolist())
    return image, bool(len(boxes))


def draw_matte(sidecar: Sidecar, number: int, image: Picture) -> tuple[Picture, bool]:
    """Lay green over what is not the figure."""
    matte = cv2.resize(sidecar.matte(number), image.shape[1::-1], interpolation=cv2.INTER_AREA)[..., None]
    green = np.array([0, 160, 60], np.float32)
    drawn = np.rint(image * matte + (0.35 * image + 0.65 * green) * (1 - matte)).astype(np.uint8)
    return drawn, bool((matte > 0.5).any())


def draw_found(sidecar: Sidecar, number: int, image: Picture) -> tuple[Picture, bool]:
    """Draw nothing: there is nothing to see in an embedding but whether there is one."""
    return image, bool(sidecar.array("found")[number])
