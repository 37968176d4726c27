"""Lets a person dance into a new file: :func:`transfer.transfer` between the poses and the writers."""

from __future__ import annotations

from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from animate.errors import UserError
from animate.pipelines.drive import BATCH_SIZE
from animate.pipelines.files import untracked
from animate.pipelines.pose_normalisation import NORMALISATIONS, Filmed, normalised
from animate.pipelines.posed import aspect
from animate.pipelines.stream import ahead, check_range, onward
from animate.pipelines.transfer import check, in_layout_of, plan, transfer
from animate.pipelines.usable import usable
from animate.video.atomic import check_target
from animate.video.encode import VideoWriter
from animate.video.grid import tile
from animate.video.image import resize, write_image

if TYPE_CHECKING:
    from fractions import Fraction
    from pathlib import Path

    from numpy.typing import NDArray

    from animate.annotate.protocols import Pose
    from animate.networks.pix2pixhd import Pix2PixHD
    from animate.pipelines.files import Track
    from animate.pipelines.posed import Dance, Person
    from animate.pipelines.transfer import Made, Plan

HOLD = 12
"""Frames: half a second."""
PANELS = ("source", "pose", "result")
GIF_HEIGHT = 256
"""A GIF of large pictures is of no use: the panels are brought down to this height."""
ROWS = 6
"""Frames on the sheet, evenly spaced."""
_MARK = (220, 30, 30)
_RIM = 32  # a rim is this part of the shorter side


@dataclass(frozen=True, slots=True)
class TransferSettings:
    """What :func:`transfer_file` is to do."""

    normalize: str = "global"
    """How the source's poses are brought to the target's size and place (``NORMALISATIONS``)."""
    hold: int = HOLD
    """For so many frames in a row the last good pose stands for bad ones; then frames are marked."""
    size: tuple[int, int] | None = None
    """(height, width) of the pictures: that of training; None: the target's."""
    batch_size: int = BATCH_SIZE
    """Frames per forward pass."""
    grid: bool = False
    """Also write source, pose and result side by side, as mp4 and gif, and a sheet of some frames."""
    start: int = 0
    """First frame of the source that is used."""
    stop: int | None = None
    """The frame before which to stop; None goes to the end."""
    audio: bool = True
    """Carry the source's sound over, where the output can hold sound."""
    overwrite: bool = False
    """Replace existing outputs."""

    def __post_init__(self) -> None:
        check_range(self.start, self.stop)


class Summary(NamedTuple):
    """What was written."""

    frames: int
    held: int
    """Frames that show an earlier pose, as theirs was not usable."""
    marked: int
    """Frames with a red rim: none usable for longer than may be held."""


def grid_files(output: Path) -> tuple[Path, Path, Path]:
    """Name what is written beside an output with ``grid``: mp4, gif and the sheet."""
    mp4, gif, sheet = (output.with_name(f"{output.stem}_grid{suffix}") for suffix in (".mp4", ".gif", ".png"))
    return mp4, gif, sheet


def transfer_file(
    networks: Pix2PixHD,
    person: Person,
    dance: Dance,
    output: Path,
    settings: TransferSettings,
    track: Track = untracked,
) -> Summary:
    """Let a person dance.

    Every part is a stream, so memory does not grow with the video. Outputs appear when they are complete.

    Args:
        networks: trained on that person, in evaluation mode, on the device that the work is to be done on.
        person: who dances.
        dance: what is danced.
        output: .mp4, .webm, .gif, or a new folder for numbered PNG files.
        settings: what to do.
        track: tells the user how far it is.

    Raises:
        UserError: something about the networks, the poses, the files or the settings.

    """
    size = settings.size or person.size
    check(networks, size)
    pose, how = _planned(networks, person, dance, settings)
    stop = settings.start + len(how.shown)
    with ExitStack() as stack:
        outputs = _Outputs(stack, dance, output, settings, len(how.shown))
        pictures = dance.pictures(settings.start, stop) if settings.grid else iter(())
        sources = stack.enter_context(closing(ahead(pictures, 2 * settings.batch_size)))
        made = transfer(networks, pose, size, batch_size=settings.batch_size)
        for number, frame in enumerate(track(made, "dancing", len(how.shown))):
            marked = bool(how.marked[number])
            shown = frame._replace(picture=rimmed(frame.picture)) if marked else frame
            outputs.write(number, shown, next(sources, None))
    outputs.write_sheet()
    return Summary(len(how.shown), int(how.held.sum()), int(how.marked.sum()))


def _planned(
    networks: Pix2PixHD, person: Person, dance: Dance, settings: TransferSettings
) -> tuple[Pose, Plan]:
    """Bring the poses to the person and the networks, and choose one for each frame of the range.

    All frames of the source take part in the normalisation, so a part of a dance is danced like the whole.
    """
    count = len(dance.times)
    if settings.start >= count:
        raise UserError(
            f"{dance.path} has frames 0 to {count - 1}; it cannot start at frame {settings.start}"
        )
    if not dance.pose.found.any():
        raise UserError(f"{dance.path}: in none of its {count} frames is a person found")
    pose = normalised(
        Filmed(in_layout_of(networks, person.pose), aspect(person.size)),
        Filmed(in_layout_of(networks, dance.pose), aspect(dance.size)),
        NORMALISATIONS[settings.normalize],
    )
    used = slice(settings.start, settings.stop)
    good = usable(pose)[used]
    if not good.any():
        raise UserError(
            f"{dance.path}: in none of {len(good)} frames does the pose lie in the picture; try another"
            " --normalize, or another range"
        )
    how = plan(good, settings.hold)
    shown = how.shown + settings.start
    return replace(pose, points=pose.points[shown], found=pose.found[shown], score=pose.score[shown]), how


def rimmed(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Draw a red rim into an (H, W, 3) picture."""
    rim = max(1, min(picture.shape[:2]) // _RIM)
    result = np.full_like(picture, _MARK)
    result[rim:-rim, rim:-rim] = picture[rim:-rim, rim:-rim]
    return result


class _Outputs:
    """The files that frames go to; the writers end with the given stack."""

    def __init__(
        self, stack: ExitStack, dance: Dance, output: Path, settings: TransferSettings, count: int
    ) -> None:
        self._times = dance.times[settings.start : settings.start + count]
        self._rows: list[list[NDArray[np.uint8]]] = []
        self._on_sheet = set(np.linspace(0, count - 1, min(ROWS, count)).round().astype(int).tolist())
        self._now: Fraction | None = None
        self._fps = dance.fps
        stop = settings.start + count
        end = float(dance.times[stop]) if stop < len(dance.times) else None

        def writer(path: Path) -> VideoWriter:
            return stack.enter_context(
                VideoWriter(
                    path,
                    dance.fps,
                    audio_from=dance.sound if settings.audio else None,
                    audio_start=float(self._times[0]),
                    audio_end=end,
                    overwrite=settings.overwrite,
                )
            )

        self._result = writer(output)
        self._sheet: Path | None = None
        if settings.grid:
            mp4, gif, self._sheet = grid_files(output)
            check_target(self._sheet, settings.overwrite)
            self._mp4, self._gif = writer(mp4), writer(gif)

    def write(self, number: int, made: Made, source: NDArray[np.uint8] | None) -> None:
        """Add a frame to each."""
        self._now = time = onward(self._times[number], self._now, self._fps)
        self._result.write(made.picture, time)
        if source is None:
            return
        panels = [fitted(picture, len(made.picture)) for picture in (source, made.label, made.picture)]
        row = np.hstack(panels)
        self._mp4.write(row, time)
        self._gif.write(fitted(row, min(GIF_HEIGHT, len(row))), time)
        if number in self._on_sheet:
            self._rows.append(panels)

    def write_sheet(self) -> None:
        """Write the sheet, when all frames are there."""
        if self._sheet is not None:
            write_image(self._sheet, tile(self._rows, PANELS))


def fitted(picture: NDArray[np.uint8], height: int) -> NDArray[np.uint8]:
    """Bring an (H, W, 3) picture to a height, in its aspect."""
    if len(picture) == height:
        return picture
    return resize(picture, (height, max(1, round(picture.shape[1] * height / len(picture)))))
