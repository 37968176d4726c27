"""What an evaluation looked like: a short video and the worst frame of every clip, kept in files."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np

from animate.video.encode import VideoWriter
from animate.video.grid import tile
from animate.video.image import resize, write_image

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from numpy.typing import NDArray
    from torch import Tensor

    Picture = NDArray[np.uint8]

COLUMNS = ("source", "target", "prediction")
MAX_FRAMES = 100
"""Frames of a clip's video; the clip's later frames are left out of it."""
MAX_SIDE = 256
"""Pixels: larger pictures are made smaller for the videos and the pictures."""


class Recording(NamedTuple):
    """The files of one clip."""

    video: Path
    """mp4: source, target and prediction side by side, its first ``MAX_FRAMES`` frames."""
    worst: Path
    """jpg: the frame with the largest mean absolute error: the same, and the difference."""


class Recorder:
    """Writes a :class:`Recording` of each clip while an evaluation goes on; a context manager.

    Memory does not depend on the number of frames or clips: frames are encoded as they come, and one frame
    is remembered. A file's name follows from its clip's name alone, so the processes of one evaluation may
    each record their clips into one folder, and any of them finds them all.

    Args:
        folder: where the files go; it must exist. Whoever made it removes it after the report.
        fps: frames per second of the videos.

    """

    def __init__(self, folder: Path, fps: float = 25.0) -> None:
        self.folder, self.fps = folder, fps
        self._current: _Clip | None = None

    def add(self, clip: str, source: Tensor, target: Tensor, prediction: Tensor) -> None:
        """Add N frames of a clip, in the order of time; all frames of a clip come before those of another.

        Args:
            clip: name of the clip.
            source: (N, 3, H, W) in [0, 1], on any device; so are the others. All frames of a clip have one
                size.
            target: what the prediction should be.
            prediction: what the model made.

        Raises:
            UserError: the folder cannot be written to.

        """
        if self._current is None or self._current.name != clip:
            self.finish()
            self._current = _Clip(clip, self.recording(clip), self.fps)
        errors = (prediction.detach().float() - target.float()).abs().mean(dim=(1, 2, 3))
        # A prediction that is no number is the worst there is.
        errors = errors.nan_to_num(nan=float("inf"))
        for number, error in enumerate(errors.tolist()):
            if self._current.wants(error):
                frames = (side[number : number + 1] for side in (source, target, prediction))
                self._current.add([_picture(frame) for frame in frames], error)

    def finish(self) -> None:
        """Complete the files of the last clip."""
        current, self._current = self._current, None
        if current is not None:
            current.finish()

    def recording(self, clip: str) -> Recording:
        """Name the files of a clip, whether or not they are there."""
        stem = hashlib.sha256(clip.encode("utf-8", "surrogatepass")).hexdigest()[:24]
        return Recording(self.folder / f"{stem}.mp4", self.folder / f"{stem}.jpg")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.finish()
        elif self._current is not None:
            self._current.discard(kind, error, trace)


class _Clip:
    """The clip that is being recorded."""

    def __init__(self, name: str, files: Recording, fps: float) -> None:
        self.name, self._files = name, files
        self._writer = VideoWriter(files.video, fps, overwrite=True).__enter__()
        self._frames, self._largest = 0, -1.0
        self._worst: list[Picture] = []

    def wants(self, error: float) -> bool:
        """Tell whether a frame with this error is to be added."""
        return self._frames < MAX_FRAMES or error > self._largest

    def add(self, pictures: list[Picture], error: float) -> None:
        if self._frames < MAX_FRAMES:
            self._writer.write(side_by_side(pictures))
            self._frames += 1
            if self._frames == MAX_FRAMES:  # an encoder holds dozens of frames
                self._complete_video()
        if error > self._largest:
            self._largest, self._worst = error, pictures

    def finish(self) -> None:
        if self._frames < MAX_FRAMES:
            self._complete_video()
        write_image(self._files.worst, side_by_side([*self._worst, difference(*self._worst[1:])]))

    def _complete_video(self) -> None:
        self._writer.__exit__(None, None, None)

    def discard(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._frames < MAX_FRAMES:
            self._writer.__exit__(kind, error, trace)


def _picture(frame: Tensor) -> Picture:
    """(1, 3, H, W) in [0, 1] to (H, W, 3), no side longer than ``MAX_SIDE``."""
    levels = frame[0].detach().float().nan_to_num(nan=0.0).clamp(0, 1).mul(255).round().byte()
    values = np.ascontiguousarray(levels.permute(1, 2, 0).cpu().numpy())
    return resize(values, _small(values.shape[0], values.shape[1]))


def _small(height: int, width: int) -> tuple[int, int]:
    scale = min(1.0, MAX_SIDE / max(height, width))
    return max(1, round(height * scale)), max(1, round(width * scale))


def side_by_side(pictures: list[Picture]) -> Picture:
    """Lay pictures in a row, all brought to the last one's size; white lines between them."""
    return tile([pictures], cell=pictures[-1].shape[:2])


def difference(target: Picture, prediction: Picture) -> Picture:
    """Absolute difference, twice as bright as it is: most errors are small."""
    doubled: NDArray[np.int16] = 2 * np.abs(target.astype(np.int16) - prediction)
    return np.minimum(doubled, 255).astype(np.uint8)
