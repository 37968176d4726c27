"""Frames as they come: a camera, a stream from the network, or what another program pipes in."""

from __future__ import annotations

import math
import os
import select
import sys
import time
from contextlib import closing, suppress
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

import av
import av.error

from animate.errors import UserError
from animate.video.pixels import Converter, upright_size

if TYPE_CHECKING:
    from collections.abc import Iterator
    from threading import Event

    import numpy as np
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream
    from numpy.typing import NDArray

STDIN = "-"
PATIENCE = 10.0
"""Seconds without a frame after which a stream from the network, or a pipe, has ended."""
_AHEAD = 2.0
"""Seconds that a clock may jump; more is a new beginning."""
_DEVICES = {
    "linux": ("v4l2", "/dev/video{}"),
    "darwin": ("avfoundation", "{}"),
    "win32": ("dshow", "video={}"),
}
_PROTOCOLS = "file,pipe,tcp,udp,rtp,rtsp,rtmp,http,https,tls,crypto,srt"
# FFmpeg looks at a second of a stream, or a megabyte, before it says what is in it; frames wait meanwhile.
_LOOK = {"analyzeduration": "1000000", "probesize": "1000000"}
_OPTIONS = {**_LOOK, "protocol_whitelist": _PROTOCOLS}


class LiveFrame(NamedTuple):
    """One frame."""

    image: NDArray[np.uint8]
    """(H, W, 3) RGB, upright."""
    time: Fraction
    """Seconds from the first frame on, increasing."""
    arrived: float
    """``time.monotonic()`` when it was there."""


class LiveSource:
    """Opens a stream and yields its frames at the pace of its own clock.

    A camera is never ahead of its clock. A file that is piped in, or sent faster than it plays, is held back
    to it. The constructor opens; :meth:`frames` may run in another thread.

    Args:
        address: ``-`` for standard input, or what FFmpeg opens: ``rtsp://``, ``tcp://``, ``udp://``, ...
        device: instead of an address: the number or the name of a camera.
        ended: when it is set, frames end as soon as they can.

    Raises:
        UserError: it cannot be opened, or shows no video.

    """

    def __init__(self, address: str, ended: Event, *, device: bool = False) -> None:
        self.name = "standard input" if address == STDIN else f"camera {address}" if device else address
        self._ended = ended
        self._container = self._open(address, device)
        if not self._container.streams.video:
            self._container.close()
            raise UserError(f"{self.name} shows no video; choose another")
        self._stream: VideoStream = self._container.streams.video[0]
        self._stream.codec_context.thread_count = 1  # frame threads hold frames back
        self.fps = self._stream.average_rate or self._stream.guessed_rate or Fraction(25)

    def _open(self, address: str, device: bool) -> InputContainer:
        settings: dict[str, Any] = {"container_options": _OPTIONS, "timeout": PATIENCE}
        try:
            if device:
                format_name, pattern = _DEVICES.get(sys.platform, _DEVICES["linux"])
                named = address if address.startswith("/") else pattern.format(address)
                container: InputContainer = av.open(named, "r", format=format_name)
            elif address == STDIN:
                container = av.open(_Pipe(sys.stdin.fileno(), self._ended), "r", container_options=_LOOK)
            else:
                container = av.open(address, "r", **settings)
        except av.error.ExitError:
            raise UserError(f"{self.name}: nothing came within {PATIENCE:g} s; check that it sends") from None
        except (av.error.FFmpegError, OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise UserError(f"{self.name} cannot be opened: {reason}; check that it is there") from None
        return container

    def frames(self) -> Iterator[LiveFrame]:
        """Yield frames until the stream ends, is lost, or the event is set; a damaged one is left out."""
        convert: Converter | None = None
        pace = _Pace(self._ended)
        with closing(self._container), suppress(av.error.FFmpegError, OSError, StopIteration):
            packets = self._container.demux(self._stream)
            while not self._ended.is_set():
                packet = next(packets)
                try:
                    decoded = self._stream.codec_context.decode(packet if packet.size else None)
                except av.error.InvalidDataError:
                    continue
                for frame in decoded:
                    if frame.is_corrupt:
                        continue
                    convert = convert or Converter(upright_size(frame))
                    yield LiveFrame(convert(frame), pace(_stamp(frame)), time.monotonic())
                if not packet.size:
                    return


def _stamp(frame: VideoFrame) -> float | None:
    """Seconds on the clock of the stream; None where the frame has no time stamp."""
    found = None if frame.pts is None or frame.time is None else float(frame.time)
    return found if found is not None and math.isfinite(found) else None


class _Pace:
    """Waits until a frame is due, and puts all frames on one clock that only goes forward."""

    def __init__(self, ended: Event) -> None:
        self._ended = ended
        self._began = time.monotonic()
        self._offset: float | None = None
        self._last = Fraction(-1)

    def __call__(self, stamp: float | None) -> Fraction:
        """Wait for a frame with this time stamp, if it is too early; return its time."""
        now = time.monotonic() - self._began
        due = now if stamp is None or self._offset is None else stamp + self._offset
        if abs(due - now) > _AHEAD or self._offset is None:
            due = now
            self._offset = None if stamp is None else now - stamp
        self._ended.wait(max(0.0, due - now))
        shown = Fraction(due).limit_denominator(90_000)
        self._last = max(shown, self._last + Fraction(1, 1000))
        return self._last


class _Pipe:
    """Standard input as a file that FFmpeg reads: a read ends when the event is set, or nothing comes."""

    def __init__(self, number: int, ended: Event) -> None:
        self._number, self._ended = number, ended

    def read(self, size: int) -> bytes:
        """Read up to so many bytes; none at the end."""
        waited = 0.0
        while not self._ended.is_set() and waited < PATIENCE:
            if select.select([self._number], [], [], 0.5)[0]:
                return os.read(self._number, size)
            waited += 0.5
        return b""
