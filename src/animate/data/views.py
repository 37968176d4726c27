"""What a model asks of a clip: which of its frames, and which of its annotations.

A view gets an opened clip and the sample's own random generator, and returns arrays. It knows neither how
frames are stored nor how they are augmented. A method with other needs (a window with poses, a frame with its
matte, a target with k reference frames) brings a view of its own: a class with ``__call__`` as in
:class:`View`, that picks frame numbers and hands them to :func:`read`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from animate.data.annotations import in_layout
from animate.data.clips import ClipCache
from animate.data.in_order import in_order
from animate.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from animate.data.clips import ClipReader
    from animate.data.index import Clip

Sample: TypeAlias = dict[str, NDArray[Any]]
"""Arrays under the key names of ``types.Batch``, before batching: ``frames`` (T, H, W, 3) uint8,
``frame_index`` (T,) int64, and the annotations that the view asked for as ``ClipReader.truth`` gives them."""


class View(Protocol):
    """Picks frames of a clip and reads them."""

    def __call__(
        self, clip: Clip, reader: ClipReader, rng: np.random.Generator, size: tuple[int, int]
    ) -> Sample:
        """Take a sample of ``clip``.

        Args:
            clip: what the index says about it.
            reader: the clip, opened.
            rng: the generator of this sample; every choice comes from it.
            size: (height, width) of the frames returned.

        Raises:
            UserError: a frame or an annotation is not there; another sample is drawn in its place.

        """


def read(
    clip: Clip,
    reader: ClipReader,
    indices: Sequence[int],
    size: tuple[int, int],
    truth: Sequence[str],
    layout: str = "",
) -> Sample:
    """Read these frames of a clip with the named annotations, its points in ``layout`` if one is given.

    Annotations are computed only when a view names some. Raises ``UserError`` when the clip lacks one.
    """
    return annotated(clip, reader, (indices, reader.frames(indices, size)), size, truth, layout)


def annotated(
    clip: Clip,
    reader: ClipReader,
    found: tuple[Sequence[int], NDArray[np.uint8]],
    size: tuple[int, int],
    truth: Sequence[str],
    layout: str = "",
) -> Sample:
    """Put the named annotations beside frames that were read, given with their numbers."""
    indices, frames = found
    sample: Sample = {"frames": frames, "frame_index": np.asarray(indices, np.int64)}
    known = reader.truth(indices, size) if truth else {}
    if missing := [key for key in truth if key not in known]:
        raise UserError(
            f"{clip.name}: has no annotation {', '.join(missing)}, which this view asks for; find it by"
            " `animate annotate` (points of poses: `animate annotate pose`), or make a data set with poses by"
            " `animate pose2vid prepare`"
        )
    values = {key: np.asarray(known[key]) for key in truth}
    return sample | values | (in_layout(known, layout, clip.name) if layout and "points" in truth else {})


@dataclass(frozen=True, slots=True)
class FramePair:
    """Two random frames in the order of time: source and driving.

    They are drawn uniformly *with* replacement, as the reference of the First Order Motion Model does, so
    that one pair in ``num_frames`` shows the same frame twice. Which of the two is the source is the business
    of the augmentation's time flip.

    Args:
        truth: annotations to read along, by their names in ``types.Batch``.

    """

    truth: Sequence[str] = ()

    def __call__(
        self, clip: Clip, reader: ClipReader, rng: np.random.Generator, size: tuple[int, int]
    ) -> Sample:
        """See :class:`View`; T is 2."""
        first, second = sorted(int(index) for index in rng.integers(clip.num_frames, size=2))
        return read(clip, reader, [first, second], size, self.truth)


@dataclass(frozen=True, slots=True)
class OneFrame:
    """A frame drawn uniformly.

    Args:
        truth: annotations to read along, by their names in ``types.Batch``.

    """

    truth: Sequence[str] = ()

    def __call__(
        self, clip: Clip, reader: ClipReader, rng: np.random.Generator, size: tuple[int, int]
    ) -> Sample:
        """See :class:`View`; T is 1."""
        return read(clip, reader, [int(rng.integers(clip.num_frames))], size, self.truth)


@dataclass(frozen=True, slots=True)
class Reconstruction:
    """The first frame as source, then frames spread evenly up to the last: for evaluation, without chance.

    A clip shorter than ``frames`` gives some of its frames twice, so that clips can be batched.

    Args:
        frames: T, how many frames in all; at least 2.
        truth: annotations to read along, by their names in ``types.Batch``.
        layout: that their points are brought to; the clip's own without it.

    """

    frames: int = 8
    truth: Sequence[str] = ()
    layout: str = ""

    def __post_init__(self) -> None:
        if self.frames < 2:
            raise UserError(
                f"data.eval_view.frames={self.frames}: at least 2, a source and a frame to rebuild"
            )

    def __call__(
        self,
        clip: Clip,
        reader: ClipReader,
        rng: np.random.Generator,  # noqa: ARG002
        size: tuple[int, int],
    ) -> Sample:
        """See :class:`View`; T is ``frames``."""
        indices = np.linspace(0, clip.num_frames - 1, self.frames).round().astype(int)
        return read(clip, reader, indices.tolist(), size, self.truth, self.layout)


@dataclass(frozen=True, slots=True)
class WholeClip:
    """Every frame of a clip in the order of time, a chunk at a time: for evaluation at constant memory.

    This is the "video reconstruction" of Siarohin et al. (2019): the first frame is the source of all others,
    and of itself.

    Args:
        frames: how many frames a chunk holds at most, besides the source.
        truth: annotations to read along, by their names in ``types.Batch``.
        layout: that their points are brought to; the clip's own without it.

    """

    frames: int = 16
    truth: Sequence[str] = ()
    layout: str = ""

    def __post_init__(self) -> None:
        if self.frames < 1:
            raise UserError(f"chunk={self.frames}: a chunk holds at least 1 frame")

    def chunks(self, clip: Clip, size: tuple[int, int]) -> Iterator[Sample]:
        """Yield samples of T = 1 + n frames: frame 0, then the next n frames of the clip, from 0 on.

        Args:
            clip: what the index says about it.
            size: (height, width) of the frames.

        Raises:
            UserError: a frame or an annotation is not there.

        """
        reader = ClipCache(max_readers=1).open(clip)
        first: NDArray[np.uint8] | None = None
        start = 0
        for frames in in_order(clip, reader, self.frames, size):
            first = frames[:1] if first is None else first
            indices = [0, *range(start, start + len(frames))]
            found = (indices, np.concatenate([first, frames]))
            yield annotated(clip, reader, found, size, self.truth, self.layout)
            start += len(frames)
