"""Frames into a file, one at a time: MP4, WebM, GIF, or a folder of PNGs."""

from __future__ import annotations

import os
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Self

import av.error
import numpy as np

from animate.errors import UserError
from animate.video import atomic
from animate.video.audio import AudioExcerpt
from animate.video.sinks import FolderSink, GifSink, Layout, Mp4Sink, Shown, Sink, WebmSink

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from numpy.typing import NDArray

_SINKS: dict[str, Callable[[Path, Layout], Sink]] = {
    ".mp4": Mp4Sink,
    ".webm": WebmSink,
    ".gif": GifSink,
    "": FolderSink,
}


class VideoWriter:
    """Writes frames as a stream; a context manager.

    The suffix decides: ``.mp4`` (H.264, yuv420p, crf 18), ``.webm`` (VP9), ``.gif``, and no suffix for a
    folder of numbered PNGs. The output is written under a temporary name beside its target and moved there
    when the block ends well; after an exception nothing is left. An odd width or height is padded by one
    repeated column or row in MP4 (its colour has half the resolution) and kept elsewhere.

    Args:
        path: the target. Its folder must exist. A folder of PNGs must be absent or empty.
        fps: frames per second, for frames that come without a time of their own.
        audio_from: a file whose audio is taken along; nothing happens when it has none, and for GIF and PNG.
        audio_start: seconds on the clock of ``audio_from`` that fall on the first frame.
        audio_end: where the audio ends on that clock; it never lasts longer than the pictures.
        overwrite: replace an existing file.

    Raises:
        UserError: before any work, when the target exists, cannot be written, or has another suffix; later,
            when writing fails (a full disk) or no frame was written.

    Example:
        >>> with VideoWriter("out.mp4", fps=25) as writer:  # doctest: +SKIP
        ...     writer.write(image)

    """

    def __init__(
        self,
        path: Path | str,
        fps: Fraction | float,
        *,
        audio_from: Path | str | None = None,
        audio_start: float = 0.0,
        audio_end: float | None = None,
        overwrite: bool = False,
    ) -> None:
        self._path = Path(path)
        if fps <= 0:
            raise UserError(f"{path}: the frame rate is {fps}; it must be above 0")
        check_output(self._path, overwrite)
        # 1001 so that the float 29.97002997 becomes 30000/1001 again.
        self._fps = Fraction(fps).limit_denominator(1001)
        self._place = atomic.destination(self._path)
        self._temporary = atomic.temporary_name(self._place)
        self._audio = AudioExcerpt(Path(audio_from), audio_start, audio_end) if audio_from else None
        self._sink: Sink | None = None
        self._shape: tuple[int, ...] = ()
        self._first = Fraction(0)
        self._pending: tuple[NDArray[np.uint8], Fraction] | None = None
        self._touch()

    def _touch(self) -> None:
        """Find out now whether the place can be written to; what a killed writer of it has left goes."""
        atomic.sweep(self._place.parent, self._place.suffix, self._place.stem)
        try:
            self._temporary.touch(exist_ok=False)
            self._temporary.unlink()
        except OSError as error:
            raise atomic.explain(self._path, error) from None

    def write(self, image: NDArray[np.uint8], time: Fraction | None = None) -> None:
        """Add a frame.

        Args:
            image: (H,W,3) uint8 RGB; all of one size.
            time: seconds, increasing, on any clock (the first frame is shown at 0): keeps a variable frame
                rate. Without, ``1 / fps`` after the frame before.

        """
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            raise ValueError(f"a frame is (H,W,3) uint8, not {image.shape} {image.dtype}")
        if self._pending is None:
            self._shape, self._first = image.shape, time or Fraction(0)
            self._pending = (image, Fraction(0))
            return
        if image.shape != self._shape:
            raise ValueError(f"frames are {self._shape}, this one is {image.shape}")
        _, before = self._pending
        now = before + 1 / self._fps if time is None else time - self._first
        if now <= before:
            raise ValueError(f"times must increase: {now} after {before}")
        self._put(now - before)
        self._pending = (image, now)

    def _put(self, duration: Fraction) -> None:
        """Hand the frame that was held back to the file: only now it is known how long it is shown."""
        assert self._pending is not None
        image, time = self._pending
        try:
            if self._sink is None:
                layout = Layout((image.shape[0], image.shape[1]), self._fps, self._audio)
                self._sink = _SINKS[self._path.suffix.lower()](self._temporary, layout)
            self._sink.write(Shown(image, time, duration))
        except OSError as error:
            raise atomic.explain(self._path, error) from error
        except av.error.FFmpegError as error:
            raise UserError(f"{self._path} cannot be written: {error.strerror}") from error

    def _finish(self) -> None:
        if self._pending is None:
            raise UserError(f"{self._path}: no frame was written, so there is no file")
        self._put(1 / self._fps)
        assert self._sink is not None
        try:
            self._sink.finish()
            os.replace(self._temporary, self._place)  # noqa: PTH105  one step, also over an existing file
        except OSError as error:
            raise atomic.explain(self._path, error) from error

    def _discard(self) -> None:
        if self._sink is not None:
            with suppress(OSError, av.error.FFmpegError):
                self._sink.close()
        if self._audio is not None:
            self._audio.close()
        atomic.discard(self._temporary)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._finish()
        finally:
            self._discard()


def check_output(target: Path, overwrite: bool) -> None:
    """Raise ``UserError`` unless the target may be written; a folder is never emptied for the user."""
    if target.suffix.lower() not in _SINKS:
        raise UserError(f"{target}: cannot write {target.suffix}; use .mp4, .webm, .gif or no suffix (PNGs)")
    if target.suffix:
        atomic.check_target(target, overwrite)
        return
    atomic.check_replaceable(target)
    if target.is_dir():
        if any(target.iterdir()):
            raise UserError(f"{target} is not empty; name a new folder or empty it")
    else:
        atomic.check_target(target, overwrite=False)
