"""From a decoded frame to upright 8-bit RGB: colour matrix and range, alpha, rotation, size.

Rules: the colour tags of the file are followed, untagged material counts as BT.601 limited range (as in
FFmpeg and OpenCV); what is transparent is laid over white; rotation metadata is applied; pixels that are
not square are left as they are.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, cast

import numpy as np
from av.video.format import VideoFormat
from av.video.reformatter import Interpolation, VideoReformatter

from animate.video.image import over_white, resize

if TYPE_CHECKING:
    from collections.abc import Mapping

    from av import VideoFrame
    from numpy.typing import NDArray

Matrix = tuple[int, int, int, int]
_UPRIGHT: Matrix = (1, 0, 0, 1)
# Without the last two, FFmpeg's fast path makes every picture about one grey level too dark.
_SCALING = Interpolation.AREA | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT


def display_matrix(frame: VideoFrame) -> Matrix:
    """How to show the frame: (a, b, c, d) with x' = a x + c y and y' = b x + d y, reduced to -1, 0 and 1.

    Angles between are rounded to the nearest quarter turn.
    """
    side_data = cast("Mapping[str, bytes]", frame.side_data)  # what PyAV's stubs say of it is not so
    try:
        data = side_data["DISPLAYMATRIX"]
    except KeyError:
        return _UPRIGHT
    a, b, _, c, d = (int(value) for value in np.frombuffer(data, np.int32)[:5])
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return (_sign(a), 0, 0, _sign(d))
    return (0, _sign(b), _sign(c), 0)


def _sign(value: int) -> int:
    return -1 if value < 0 else 1


def rotation(matrix: Matrix) -> int:
    """Degrees, clockwise, by which the stored picture is turned to stand upright: 0, 90, 180 or 270."""
    a, b, _, _ = matrix
    if b:
        return 90 if b > 0 else 270
    return 0 if a > 0 else 180


def turn(image: NDArray[np.uint8], matrix: Matrix) -> NDArray[np.uint8]:
    """Apply a display matrix to a picture (H,W,3); a view where nothing has to move."""
    a, b, c, d = matrix
    if b:
        image = image.transpose(1, 0, 2)
    horizontal, vertical = (c, b) if b else (a, d)
    return image[::vertical, ::horizontal]


def upright_size(frame: VideoFrame) -> tuple[int, int]:
    """(height, width) of the frame as it is shown."""
    size = (frame.height, frame.width)
    return size[::-1] if display_matrix(frame)[1] else size


@cache
def _has_alpha(pixel_format: str) -> bool:
    described = VideoFormat(pixel_format)
    return described.has_palette or any(component.is_alpha for component in described.components)


class Converter:
    """Turns decoded frames into upright RGB of one size; keeps FFmpeg's scaler between the frames of a file.

    Args:
        size: (height, width) of the pictures, upright. An axis that shrinks is averaged, one that grows is
            linear, as in ``image.resize`` (half a grey level from it), but straight from the stored planes.

    """

    def __init__(self, size: tuple[int, int]) -> None:
        self._size = size
        self._reformatter = VideoReformatter()
        self._angle: int | None = None
        self._matrix = _UPRIGHT

    def __call__(self, frame: VideoFrame) -> NDArray[np.uint8]:
        """Convert one decoded frame to (H,W,3) uint8 RGB, contiguous."""
        matrix = self._shown_by(frame)
        if _has_alpha(frame.format.name):
            # Colour that is transparent must not bleed into the edge: lay over white first, then resize.
            image = turn(over_white(self._pixels(frame, "rgba", (frame.height, frame.width))), matrix)
            image = resize(image, self._size)
        else:
            stored = self._size[::-1] if matrix[1] else self._size
            image = turn(self._pixels(frame, "rgb24", stored), matrix)
        return np.ascontiguousarray(image)

    def _shown_by(self, frame: VideoFrame) -> Matrix:
        """Look at the display matrix again only where a file changes the angle.

        A frame and its side data hold each other: each one that is asked stays until the garbage collector
        comes, and those would be hundreds.
        """
        if frame.rotation != self._angle:
            self._angle, self._matrix = frame.rotation, display_matrix(frame)
        return self._matrix

    def _pixels(self, frame: VideoFrame, pixel_format: str, size: tuple[int, int]) -> NDArray[np.uint8]:
        # One thread: starting more for one small picture costs more than it saves, and data workers are many.
        converted = self._reformatter.reformat(
            frame, width=size[1], height=size[0], format=pixel_format, interpolation=_SCALING, threads=1
        )
        return converted.to_ndarray().astype(np.uint8, copy=False)
