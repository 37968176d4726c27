"""Frames with the points of the figure in them: what a model asks for that makes pictures from poses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from animate.data.annotations import in_layout
from animate.data.views import read
from animate.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from animate.data.clips import ClipReader
    from animate.data.index import Clip
    from animate.data.views import Sample

TRUTH = ("points", "visible")
DRAWS = 64
"""How many frames are drawn before a clip is given up that has hardly a pose."""


@dataclass(frozen=True, slots=True)
class PoseWindow:
    """Frames that follow each other, with points in each; which ones, is drawn uniformly.

    Windows with a frame in which no point was found are passed over: they show what was sorted out when the
    data set was made, or nobody.

    Args:
        layout: of the points (``animate.layouts``); those of the clip are translated. An augmentation that
            mirrors exchanges the sides by it.
        frames: T, how many.

    """

    layout: str
    frames: int = 2

    def __post_init__(self) -> None:
        if self.frames < 1:
            raise UserError(f"data.train_view.frames={self.frames}: a window has at least 1 frame")

    def __call__(
        self, clip: Clip, reader: ClipReader, rng: np.random.Generator, size: tuple[int, int]
    ) -> Sample:
        """See ``views.View``.

        Raises:
            UserError: the clip is shorter than a window, has no points, or hardly any frame with some.

        """
        starts = clip.num_frames - self.frames + 1
        if starts < 1:
            raise UserError(
                f"{clip.name}: has {clip.num_frames} frames, fewer than a window of {self.frames}"
            )
        for _ in range(DRAWS):
            start = int(rng.integers(starts))
            window = range(start, start + self.frames)
            if self._is_full(clip, reader, window, size):
                return read(clip, reader, window, size, TRUTH, self.layout)
        raise UserError(
            f"{clip.name}: no window with a pose in each of its {self.frames} frames in {DRAWS} draws"
        )

    def _is_full(self, clip: Clip, reader: ClipReader, window: Sequence[int], size: tuple[int, int]) -> bool:
        known = reader.truth(window, size)
        if "points" not in known:
            raise UserError(
                f"{clip.name}: has no poses; `animate pose2vid prepare` or `animate annotate pose` finds them"
            )
        return bool(in_layout(known, self.layout, clip.name)["visible"].any(axis=1).all())


@dataclass(frozen=True, slots=True)
class PoseFrame:
    """One frame with its points; see :class:`PoseWindow`.

    Args:
        layout: of the points (``animate.layouts``).

    """

    layout: str

    def __call__(
        self, clip: Clip, reader: ClipReader, rng: np.random.Generator, size: tuple[int, int]
    ) -> Sample:
        """See ``views.View``; T is 1."""
        return PoseWindow(self.layout, frames=1)(clip, reader, rng, size)
