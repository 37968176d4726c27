"""The frames of a clip that is to be stored, from the first to the last good one, at constant memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from animate.data.clips import ClipCache, ContainerSource
from animate.data.in_order import whole_source
from animate.errors import UserError
from animate.video.decode import FrameError, stream
from animate.video.image import resize

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from animate.data.index import Clip
    from animate.video.probe import VideoInfo


def good_frames(clip: Clip, size: tuple[int, int]) -> Iterator[NDArray[np.uint8]]:
    """Yield the frames of a clip in order, (H, W, 3) uint8, until the first that cannot be decoded.

    What comes after that is not used, so that a frame keeps the number by which annotations know it.

    Args:
        clip: what the index says about it.
        size: (height, width) of the frames, the aspect is not kept.

    """
    source, start = whole_source(clip)
    if isinstance(source, ContainerSource):
        yield from _of_container(clip, source.info.unpack(clip.path), start, size)
        return
    reader = ClipCache(max_readers=1).open(clip)
    for number in range(clip.num_frames):
        try:
            yield reader.frames([number], size)[0]
        except FrameError:
            return


def _of_container(
    clip: Clip, info: VideoInfo, start: int, size: tuple[int, int]
) -> Iterator[NDArray[np.uint8]]:
    """Decode in one go. A damaged frame is left out there: the next one's time stamp tells."""
    try:
        for number, frame in enumerate(stream(clip.path, start, start + clip.num_frames), start):
            if info.seekable and int(np.abs(info.times - float(frame.time)).argmin()) != number:
                return
            yield resize(frame.image, size)
    except UserError:
        return
