"""A clip from its first frame to its last: decoded in one go, at constant memory."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from animate.data.clips import ContainerSource, ExcerptSource, FrameFolderSource
from animate.data.store.reader import StoreSource
from animate.errors import UserError
from animate.video.decode import count_good, stream
from animate.video.image import resize

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from animate.data.clips import ClipReader, ClipSource
    from animate.data.index import Clip

_CHUNK = 16


def in_order(
    clip: Clip, reader: ClipReader, count: int, size: tuple[int, int] | None
) -> Iterator[NDArray[np.uint8]]:
    """Yield all frames of a clip in order: ``(n, H, W, 3)`` uint8, ``count`` at a time, the last ones fewer.

    A container is decoded in one go, since seeking for each chunk would decode much of it again and again;
    everything else is asked of its reader.

    Args:
        clip: what the index says about it.
        reader: the clip, opened.
        count: frames per array.
        size: (height, width), the aspect is not kept; the clip's own without it.

    Raises:
        UserError: a frame cannot be read.

    """
    source, start = whole_source(clip)
    if not isinstance(source, ContainerSource):
        for first in range(0, clip.num_frames, count):
            yield reader.frames(range(first, min(first + count, clip.num_frames)), size)
        return
    frames = stream(clip.path, start, start + clip.num_frames)
    images = (resize(frame.image, size) if size else frame.image for frame in frames)
    while chunk := list(islice(images, count)):
        yield np.stack(chunk)


def check_whole(clip: Clip) -> None:
    """Decode a clip that lies in files once, to know before its first frame is used that the last is there.

    Strips need no look: they are one picture, whose first frame tells. Drawn clips cannot break.

    Raises:
        UserError: some of its frames cannot be decoded.

    """
    source, start = whole_source(clip)
    if isinstance(source, ContainerSource):
        good = count_good(source.info.unpack(clip.path), start, start + clip.num_frames)
        if good < clip.num_frames:
            lost = clip.num_frames - good
            raise UserError(f"{clip.path}: {lost} of {clip.num_frames} frames cannot be decoded")
    elif isinstance(source, FrameFolderSource | StoreSource):
        for _ in in_order(clip, clip.reader.open(clip), _CHUNK, None):
            pass


def whole_source(clip: Clip) -> tuple[ClipSource, int]:
    """Return the source of the file, and the number that the clip's first frame has in it."""
    if isinstance(clip.reader, ExcerptSource):
        return clip.reader.source, clip.reader.start
    return clip.reader, 0
