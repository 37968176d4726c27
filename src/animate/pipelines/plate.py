"""One clean background from a whole video: what is behind the person now is seen at another time.

Frames are brought over the one that shows most of the background, and to its exposure; each pixel then takes
the median of those frames in which it shows nobody. A network is needed only for what was never seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from animate.errors import UserError
from animate.pipelines.alignment import camera_motion, exposed_like, largest_motion, moved_by
from animate.pipelines.files import untracked
from animate.pipelines.inpaint import Holed, filled
from animate.video.decode import stream
from animate.video.image import write_image
from animate.video.probe import probe

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from animate.pipelines.files import Track
    from animate.pipelines.inpaint import Filler, HoleFinder

    Picture = NDArray[np.uint8]
    Mask = NDArray[np.bool_]

_TRIED = 5  # references
_BAND = 64  # rows whose medians are computed at a time
_ABSENT = np.int16(256)  # above every value, so that it is sorted to the end


@dataclass(frozen=True, slots=True)
class PlateSettings:
    """How a plate is made.

    Attributes:
        frames: how many of a video are used at most, evenly spread.
        times: in how many of them a pixel must show nobody to count as seen; in all where there are fewer.
        best: of so many frames, in which it shows nobody, a pixel takes the median: those with the smallest
            holes, because a person casts shadows and changes the exposure.
        shake: the largest motion of the camera that is made good, as a share of the longer side; frames that
            have moved more are not used.
        still: motion below so many pixels is left as it is, since moving a picture softens it.

    """

    frames: int = 61
    times: int = 3
    best: int = 15
    shake: float = 0.1
    still: float = 0.25


class Plate(NamedTuple):
    """A clean background."""

    picture: Picture
    """(H, W, 3)."""
    unseen: Mask
    """(H, W): what was never seen, and is black."""
    used: int
    """Frames that it is made of."""
    largest_motion: float
    """Of the camera among them, in pixels."""


def make_plate(frames: Sequence[Holed], settings: PlateSettings, over: Holed | None = None) -> Plate:
    """Make a plate of frames with holes where a person is.

    Args:
        frames: of one size.
        settings: see above.
        over: the frame that the plate is to be laid under; left out, it is one with a small hole.

    Raises:
        UserError: there are none.

    """
    if not frames:
        raise UserError("no frame to make a plate of")
    clearest = sorted(frames, key=lambda frame: float(frame.hole.mean()))
    used = _aligned(clearest, clearest[:_TRIED] if over is None else [over], settings)
    images = np.stack([one.image for one in used])
    clear = np.stack([one.clear for one in used])
    unseen = clear.sum(0) < min(settings.times, len(used))
    picture = masked_median(images, clear & (clear.cumsum(0) <= settings.best))
    picture[unseen] = 0
    return Plate(picture, unseen, len(used), max(one.motion for one in used))


def _aligned(frames: Sequence[Holed], references: Sequence[Holed], settings: PlateSettings) -> list[_Moved]:
    """Lay frames over the first reference that at least half of them can be laid over; else over the best."""
    best: list[_Moved] = []
    for reference in references:
        moved = [_over(frame, reference, settings) for frame in frames]
        best = max(best, [one for one in moved if one is not None], key=len)
        if 2 * len(best) >= len(frames):
            break
    return best


class _Moved(NamedTuple):
    """A frame as the camera of the reference would have seen it."""

    image: Picture
    clear: Mask
    """Where it shows nobody and something."""
    motion: float


def _over(frame: Holed, reference: Holed, settings: PlateSettings) -> _Moved | None:
    """Lay a frame over the reference, and expose it likewise; None where the camera has moved too far."""
    clear = frame.hole == 0
    height, width = clear.shape
    matrix = camera_motion(frame.image, reference.image, clear & (reference.hole == 0))
    motion = largest_motion(matrix, (height, width))
    if motion > settings.shake * max(height, width):
        return None
    image = frame.image
    if motion > settings.still:
        image, clear = moved_by(matrix, image, clear)
    return _Moved(exposed_like(image, reference.image, clear & (reference.hole == 0)), clear, motion)


def masked_median(images: NDArray[np.uint8], clear: Mask) -> Picture:
    """Take each pixel's median over the frames in which it is clear.

    Args:
        images: (T, H, W, 3).
        clear: (T, H, W).

    Returns:
        (H, W, 3), that of an even number the mean of the middle two, rounded up; black where there is none.

    """
    picture = np.zeros(images.shape[1:], np.uint8)
    for top in range(0, images.shape[1], _BAND):
        rows = slice(top, top + _BAND)
        values = np.where(clear[:, rows, :, None], images[:, rows].astype(np.int16), _ABSENT)
        values.sort(axis=0)
        count = clear[:, rows].sum(0)[None, ..., None]
        low, high = (
            np.take_along_axis(values, np.maximum(middle, 0), axis=0)[0]
            for middle in ((count - 1) // 2, np.minimum(count // 2, len(values) - 1))
        )
        picture[rows] = np.where(count[0] > 0, (low + high + 1) // 2, 0)
    return picture


def spread(total: int, most: int) -> set[int]:
    """Choose the numbers of at most so many of ``total`` frames, evenly spread."""
    return set(np.unique(np.linspace(0, total - 1, min(total, most)).round().astype(int)).tolist())


class Made(NamedTuple):
    """What became of a video."""

    frames: int
    """That the plate is made of."""
    unseen: float
    """Share of the picture that was never seen."""
    motion: float
    """Of the camera, in pixels."""


def plate_file(
    path: Path,
    output: Path,
    finder: HoleFinder,
    filler: Filler | None,
    settings: PlateSettings | None = None,
    *,
    track: Track = untracked,
) -> Made:
    """Write the clean background of a video: one picture.

    Args:
        path: a video, or a folder of pictures.
        output: the picture.
        finder: says where the person is.
        filler: fills what was never seen; None where that is not to happen.
        settings: how the plate is made.
        track: tells the user how far it is.

    Raises:
        UserError: a file cannot be used, no frame has a person, or something was never seen and there is no
            network.

    """
    settings = settings or PlateSettings()
    total = sum(1 for _ in stream(path)) if path.is_dir() else probe(path).num_frames
    wanted = spread(total, settings.frames)
    frames = [*track(finder(stream(path), wanted), f"looking at {path.name}", len(wanted))]
    if not any(frame.hole.any() for frame in frames):
        raise UserError(f"{path}: no person was found in any frame; any frame of it is a plate")
    plate = make_plate(frames, settings)
    share = float(plate.unseen.mean())
    picture = plate.picture
    if share:
        picture = _completed(plate, filler, str(path))
    write_image(output, picture)
    return Made(plate.used, share, plate.largest_motion)


def _completed(plate: Plate, filler: Filler | None, where: str) -> Picture:
    """Let the network fill what was never seen."""
    share = float(plate.unseen.mean())
    if share == 1:
        raise UserError(f"{where}: no part of the background is ever seen")
    if filler is None:
        raise UserError(
            f"{where}: {share:.2%} of the background is never seen; name a --checkpoint to fill it"
        )
    hole = plate.unseen.astype(np.float32)
    return filled(filler, [Holed(plate.picture, hole, Fraction(0))])[0]
