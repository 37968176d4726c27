"""A video's facts in a few hundred bytes, for the index in memory and its cache on disk.

A data set may hold a hundred thousand clips, and every worker process gets the whole index: time stamps and
key frames are kept as compressed differences and unpacked when a clip is opened.
"""

from __future__ import annotations

import base64
import zlib
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from animate.video.probe import VideoInfo

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_NANOSECONDS = 1e9


class PackedInfo(NamedTuple):
    """``VideoInfo`` without its path; ``times`` in nanoseconds, finer than the clock of any container."""

    width: int
    height: int
    num_frames: int
    exact: bool
    fps: str
    duration: float
    rotation: int
    has_audio: bool
    seekable: bool
    times: str
    keyframes: str

    @classmethod
    def pack(cls, info: VideoInfo) -> PackedInfo:
        """Compress ``info``."""
        return cls(
            width=info.width,
            height=info.height,
            num_frames=info.num_frames,
            exact=info.exact,
            fps=str(info.fps),
            duration=float(info.duration),
            rotation=info.rotation,
            has_audio=info.has_audio,
            seekable=info.seekable,
            times=_deflate(np.rint(info.times * _NANOSECONDS).astype(np.int64)),
            keyframes=_deflate(np.asarray(info.keyframes, np.int64)),
        )

    def unpack(self, path: Path) -> VideoInfo:
        """Restore the facts about the video at ``path``, after a correction only of frames that are there."""
        keyframes = _inflate(self.keyframes)
        return VideoInfo(
            path=path,
            width=self.width,
            height=self.height,
            num_frames=self.num_frames,
            exact=self.exact,
            fps=Fraction(self.fps),
            duration=self.duration,
            times=_inflate(self.times)[: self.num_frames] / _NANOSECONDS,
            keyframes=keyframes[keyframes < self.num_frames],
            rotation=self.rotation,
            has_audio=self.has_audio,
            seekable=self.seekable,
        )

    def corrected(self, num_frames: int) -> PackedInfo:
        """Take the number of frames that decoding has shown; never more than were demuxed."""
        return self._replace(num_frames=min(num_frames, self.num_frames), exact=True)


def _deflate(values: NDArray[np.int64]) -> str:
    return base64.b64encode(zlib.compress(np.diff(values, prepend=0).astype("<i8").tobytes(), 6)).decode()


def _inflate(text: str) -> NDArray[np.int64]:
    return np.cumsum(np.frombuffer(zlib.decompress(base64.b64decode(text)), "<i8"), dtype=np.int64)
