"""Animate a picture file with a video file into a new file: :func:`drive.drive` between reader and writer."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from itertools import islice, tee
from typing import TYPE_CHECKING, Protocol, TypeVar

from animate.annotate import backends
from animate.errors import UserError
from animate.pipelines.composition import composition
from animate.pipelines.drive import (
    BATCH_SIZE,
    drive,
    find_start_frame,
    find_start_frame_by_landmarks,
    model_size,
)
from animate.pipelines.framing import Box, to_model
from animate.pipelines.keypoint_smoothing import OneEuro
from animate.pipelines.stream import ahead, check_range, onward, overlapped
from animate.video.decode import FOLDER_FPS, Frame, stream
from animate.video.encode import VideoWriter
from animate.video.image import PICTURE_SUFFIXES, resize_mask
from animate.video.probe import probe

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from animate.pipelines.animation_model import AnimationModel
    from animate.pipelines.kept_frames import KeptFrames
    from animate.video.probe import VideoInfo

Item = TypeVar("Item")


class Track(Protocol):
    """Passes items on and tells the user how far it is; ``total`` is None where it is not known."""

    def __call__(self, items: Iterable[Item], what: str, total: int | None) -> Iterable[Item]:
        """Return the items, unchanged and in order."""


def untracked(items: Iterable[Item], what: str, total: int | None) -> Iterable[Item]:  # noqa: ARG001
    """Tell nobody."""
    return items


@dataclass(frozen=True, slots=True)
class DriveSettings:
    """What :func:`drive_file` is to do; docs/inference.md has the rules."""

    relative: bool = True
    """Carry over what changed since the initial frame, instead of the driving keypoints as they are."""
    adapt_scale: bool = False
    """Scale relative movement by the ratio of the sizes of source and driving object."""
    best_frame: int | str | None = None
    """The driving frame, counted from 0 in the file, that shows the pose of the source; ``auto`` finds it by
    the model's keypoints, the name of a back-end of landmarks by these; None takes the first of the range."""
    smooth: bool = False
    """Take the tremble out of the driving keypoints."""
    batch_size: int = BATCH_SIZE
    """Driving frames per forward pass."""
    keep_size: bool = False
    """Paste the result back into the whole source picture, instead of giving the model's square."""
    box: Box | None = None
    """The part of the source that is animated; the biggest square in its middle unless given."""
    driving_box: Box | None = None
    """The part of the driving frames that is looked at; likewise."""
    grid: bool = False
    """Put source, driving frame and result side by side."""
    start: int = 0
    """First driving frame that is used."""
    stop: int | None = None
    """The driving frame before which to stop; None goes to the end."""
    audio: bool = True
    """Carry the driving video's sound over, where the output can hold sound."""
    overwrite: bool = False
    """Replace an existing output."""

    def __post_init__(self) -> None:
        if not self.relative and (self.adapt_scale or self.best_frame is not None):
            raise UserError("--absolute takes the motion as it is: leave --best-frame and --adapt-scale out")
        check_range(self.start, self.stop)
        first, last = self.start, self.stop
        if isinstance(self.best_frame, int) and not first <= self.best_frame < (last or self.best_frame + 1):
            raise UserError(
                f"the best frame {self.best_frame} is outside of the range from {first} to {last}"
            )


@dataclass(frozen=True, slots=True)
class DrivingClip:
    """The part of a video, folder of pictures or single picture that motion is taken from."""

    path: Path
    start: int
    stop: int | None
    box: Box | None
    size: int
    """The model's: frames are cut to its square."""
    info: VideoInfo | None
    """None for pictures, which have no clock of their own."""

    @classmethod
    def open(cls, path: Path, settings: DriveSettings, size: int) -> DrivingClip:
        """Look at the file without decoding it."""
        pictures = path.is_dir() or path.suffix.lower() in PICTURE_SUFFIXES
        info = None if pictures else probe(path)
        return cls(path, settings.start, settings.stop, settings.driving_box, size, info)

    @property
    def fps(self) -> Fraction:
        """Mean frame rate."""
        return Fraction(FOLDER_FPS) if self.info is None else self.info.fps

    @property
    def num_frames(self) -> int | None:
        """Frames in the range, None for pictures; a damaged file gives fewer."""
        return None if self.info is None else len(self.info.times[self.start : self.stop])

    @property
    def has_audio(self) -> bool:
        """Whether there is sound to carry over."""
        return self.info is not None and self.info.has_audio

    @property
    def end(self) -> float | None:
        """When the range ends, on the clock of the file; None where that is the end of the file."""
        if self.info is None or self.stop is None or self.stop >= self.info.num_frames:
            return None
        return float(self.info.times[self.stop])

    def frames(self) -> Iterator[Frame]:
        """Decode the range anew, one frame at a time, each cut to the model's square."""
        for frame in stream(self.path, self.start, self.stop):
            box = self.box and self.box.check(frame.image, str(self.path))
            yield Frame(to_model(frame.image, self.size, box), frame.time)

    def first(self) -> Frame:
        """Decode the first frame of the range that can be decoded."""
        frame = next(self.frames(), None)
        if frame is None:
            raise UserError(
                f"{self.path}: no frame of the range can be decoded; choose another range or video"
            )
        return frame

    def frame(self, number: int) -> Frame:
        """Decode one frame, by its number in the file."""
        return replace(self, start=number, stop=number + 1).first()


def drive_file(
    networks: AnimationModel,
    source: Path,
    driving: Path,
    output: Path,
    settings: DriveSettings,
    track: Track = untracked,
    *,
    matte: NDArray[np.float32] | None = None,
    kept: KeptFrames | None = None,
) -> int:
    """Animate the picture ``source`` like the video ``driving`` into ``output``; return the frames written.

    Every part is a stream, so memory does not grow with the video. The output appears when it is complete.

    Args:
        networks: a model in evaluation mode, on the device that the work is to be done on.
        source: a picture; of a video or an animated picture the first frame is taken.
        driving: a video, a folder of pictures or a single picture.
        output: .mp4, .webm, .gif, or a new folder for numbered PNG files.
        settings: what to do.
        track: tells the user how far it is.
        matte: (H, W) in [0, 1], 1 on the figure in the source picture: what is around it stands still.
        kept: what an earlier run has done of this, and where this one keeps what it does.

    Raises:
        UserError: something about the files or the settings.

    """
    size = model_size(networks)
    picture = read_source(source)
    box = (settings.box or Box.centre_square(*picture.shape[:2])).check(picture, str(source))
    square = to_model(picture, size, box)
    clip = DrivingClip.open(driving, settings, size)
    first = clip.first()
    compose = composition(picture, square, box, settings, matte)
    smoothing = OneEuro(float(clip.fps)) if settings.smooth else None
    with _writer(output, driving, clip, first, settings) as writer:
        initial = _initial_frame(networks, square, clip, settings, track, kept) or first
        overlap = partial(overlapped, depth=2 * settings.batch_size, device=networks.device)
        with closing(overlap(clip.frames())) as frames:
            ours, driven = tee(frames)
            render = partial(
                drive,
                networks,
                square,
                relative=settings.relative,
                adapt_scale=settings.adapt_scale,
                batch_size=settings.batch_size,
                initial=initial.image,
                matte=None if matte is None else resize_mask(box.cut(matte), (size, size)),
            )
            images = (frame.image for frame in driven)
            shape = (size, size, 3 if matte is None else 4)
            if kept is None:
                results = render(images, smoothing=smoothing)
            else:
                results = kept.results(render, images, smoothing, settings.batch_size, shape)
            pairs = zip(track(results, "animating", clip.num_frames), ours, strict=False)
            composed = ((compose(result, frame.image), frame.time) for result, frame in pairs)
            with closing(overlap(composed)) as ready:
                return _write(writer, ready, clip.fps)


def _writer(
    output: Path, driving: Path, clip: DrivingClip, first: Frame, settings: DriveSettings
) -> VideoWriter:
    """Open the output, with the sound of the range."""
    return VideoWriter(
        output,
        clip.fps,
        audio_from=driving if settings.audio and clip.has_audio else None,
        audio_start=float(first.time),
        audio_end=clip.end,
        overwrite=settings.overwrite,
    )


def read_source(path: Path) -> NDArray[np.uint8]:
    """Read a picture, or the first frame of a video, as ``(H, W, 3)`` uint8."""
    frame = next(stream(path, 0, 1), None)
    if frame is None:
        raise UserError(f"{path}: its first frame cannot be decoded; use another picture")
    return frame.image


def _initial_frame(
    networks: AnimationModel,
    square: NDArray[np.uint8],
    clip: DrivingClip,
    settings: DriveSettings,
    track: Track,
    kept: KeptFrames | None,
) -> Frame | None:
    """Take the driving frame that shows the pose of the source; None is the first one."""
    best = settings.best_frame
    if not isinstance(best, str):
        return None if best is None else clip.frame(best)
    search = partial(_search, best, networks, square, clip, settings.batch_size, track)
    number = search() if kept is None else kept.start_frame(search, clip.num_frames)
    # Counted among the frames that decode, so found by counting again, not by its number in the file.
    return next(islice(clip.frames(), number, None))


def _search(
    best: str,
    networks: AnimationModel,
    square: NDArray[np.uint8],
    clip: DrivingClip,
    batch_size: int,
    track: Track,
) -> int:
    """Find the driving frame that shows the pose of the source, counted among those that decode."""
    finder = None if best == "auto" else backends.landmarks(best)
    with closing(ahead(clip.frames(), 2 * batch_size)) as frames:
        images = (frame.image for frame in track(frames, "finding the start frame", clip.num_frames))
        if finder is None:
            return find_start_frame(networks, square, images, batch_size=batch_size)
        return find_start_frame_by_landmarks(finder, square, images, batch_size=batch_size)


def _write(writer: VideoWriter, frames: Iterable[tuple[NDArray[np.uint8], Fraction]], fps: Fraction) -> int:
    """Write frames at their times, or 1 / fps later where a damaged clock stands still; return how many."""
    count, now = 0, None
    for image, time in frames:
        now = onward(time, now, fps)
        writer.write(image, now)
        count += 1
    return count
