"""Square clips of one figure, cut out of longer ones: where the square lies, and how it is written."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import gaussian_filter1d, median_filter  # type: ignore[attr-defined]

from animate.errors import UserError
from animate.video.encode import VideoWriter
from animate.video.image import resize_part

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from numpy.typing import NDArray

    from animate.annotate.frames import Numbered
    from animate.annotate.tubes import Tube

_TAIL = 5.0  # percent; so much of each side's positions may lie outside of a fixed square without margin
_MEDIAN, _CENTRE, _SIDE = 0.4, 0.35, 1.0  # seconds: window of the median, deviations of the smoothing
_ROUNDING = 1e-3  # pixels; what single precision does to a whole number must not cost a pixel
_TOUCHING = 0.01  # of the box's side


@dataclass(frozen=True, slots=True)
class Framing:
    """How a square is laid around a figure."""

    margin: float
    """Added on each side, as a share of the longer side of the figure's box."""
    smooth: bool = False
    """Follow the figure with a smoothed square, instead of one that stands still over the clip."""


def squares(tube: Tube, picture: tuple[int, int], fps: float, framing: Framing) -> NDArray[np.float64]:
    """Lay a square around a figure for each frame: (T, 3): left, top, side in pixels.

    A fixed square holds the figure's boxes of all frames, but for the outermost 5 % of each side's positions,
    with the margin, on whole pixels. A smoothed one follows the centre and, more slowly, the size.

    Where it would leave the picture it is moved inside. One that is larger than the picture's shorter side is
    shrunk to that, down to the figure's box; if that still is larger, it reaches over the edge.

    Args:
        tube: the figure.
        picture: (height, width) in pixels.
        fps: frames per second, for the smoothing.
        framing: margin and mode.

    """
    boxes = _smoothed(tube.boxes, fps) if framing.smooth else _steady(tube.boxes)
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    least = (boxes[:, 2:] - boxes[:, :2]).max(axis=1)
    side = np.maximum(least, np.minimum(least * (1 + 2 * framing.margin), min(picture)))
    if not framing.smooth:
        side = np.ceil(side - _ROUNDING)
    room = np.array(picture[::-1]) - side[:, None]
    corners = (centres - side[:, None] / 2).clip(np.minimum(room, 0), np.maximum(room, 0))
    if not framing.smooth:
        corners = np.round(corners)
    return np.concatenate([corners, side[:, None]], axis=1)


def _steady(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    low = np.percentile(boxes[:, :2], _TAIL, axis=0)
    high = np.percentile(boxes[:, 2:], 100 - _TAIL, axis=0)
    return np.tile(np.concatenate([low, high]), (len(boxes), 1))


def _smoothed(boxes: NDArray[np.float64], fps: float) -> NDArray[np.float64]:
    window = 2 * round(_MEDIAN * fps / 2) + 1
    steady = median_filter(boxes, size=(window, 1), mode="nearest")
    centres = gaussian_filter1d((steady[:, :2] + steady[:, 2:]) / 2, _CENTRE * fps, axis=0, mode="nearest")
    sides = gaussian_filter1d(steady[:, 2:] - steady[:, :2], _SIDE * fps, axis=0, mode="nearest")
    return np.concatenate([centres - sides / 2, centres + sides / 2], axis=1)


def cut_share(tube: Tube, picture: tuple[int, int]) -> float:
    """Tell in which share of the frames in which it was seen a figure touches the picture's edge."""
    boxes = tube.boxes[tube.seen]
    slack = _TOUCHING * (boxes[:, 2:] - boxes[:, :2]) + 0.5
    beyond = (boxes[:, :2] < slack) | (boxes[:, 2:] > np.array(picture[::-1]) - slack)
    return float(beyond.any(axis=1).mean())


@dataclass(frozen=True, slots=True)
class Sound:
    """Where the sound of a crop comes from."""

    path: Path
    end: float | None
    """Seconds on the clock of the file at which the crop ends; None: with the file."""


def write_crop(
    frames: Iterable[Numbered],
    where: Callable[[int], NDArray[np.float64]],
    target: Path,
    *,
    size: int,
    fps: Fraction | float,
    sound: Sound | None,
    keep: Callable[[Numbered, NDArray[np.uint8]], None],
) -> int:
    """Write the squares of a stream of frames as a video, at their own times; return how many.

    Args:
        frames: those of the clip; broken ones are not among them, and the one before is shown for longer.
        where: (left, top, side) in pixels for a frame's number.
        target: an mp4, which appears when it is complete.
        size: side of the video.
        fps: mean frame rate.
        sound: laid under the video from its first frame on.
        keep: is shown each frame and its square.

    Raises:
        UserError: no frame can be decoded, or the file not be written.

    """
    iterator = iter(frames)
    first = next(iterator, None)
    if first is None:
        raise UserError(f"{target.name}: none of its frames can be decoded")
    writer = VideoWriter(
        target,
        fps,
        audio_from=sound.path if sound else None,
        audio_start=float(first.time),
        audio_end=sound.end if sound else None,
    )
    with writer:
        count, now, step = 0, first.time, 1 / Fraction(fps).limit_denominator(1001)
        for frame in chain([first], iterator):
            if count:
                now = frame.time if frame.time > now else now + step  # a damaged clock may stand still
            left, top, side = where(frame.number)
            square = resize_part(frame.image, (left, top), side, size)
            writer.write(square, now)
            keep(frame, square)
            count += 1
    return count
