"""Whole clips as batches: what a data worker does in an evaluation of every frame."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from torch.utils.data import IterableDataset

from animate.data.dataset import SAMPLE_STREAM, Item, RawBatch, collate, skip
from animate.data.in_order import check_whole
from animate.data.sampler import EVALUATION
from animate.errors import UserError
from animate.ops.random import mix

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from animate.data.index import Clip, Split
    from animate.data.views import WholeClip


class WholeClips(IterableDataset["RawBatch | None"]):
    """The chunks of some clips, clip by clip, each a batch of one sample; a None ends each clip.

    A clip of which a frame cannot be read gives one batch without tensors that says so, and nothing of it is
    used: files are decoded twice, first only to see that they are whole.

    Args:
        split: the split's name, for messages.
        clips: in order, each with its number in the split.
        view: how a clip is cut.
        seed: the seed of the run.
        size: (height, width) of all frames.

    """

    def __init__(
        self,
        split: Split,
        clips: Sequence[tuple[int, Clip]],
        view: WholeClip,
        *,
        seed: int,
        size: tuple[int, int],
    ) -> None:
        self.split: Split = split
        self.clips, self.view, self.seed, self.size = clips, view, seed, size

    def __iter__(self) -> Iterator[RawBatch | None]:
        for number, clip in self.clips:
            yield from self._chunks(number, clip)
            yield None

    def _chunks(self, number: int, clip: Clip) -> Iterator[RawBatch]:
        try:
            check_whole(clip)
            chunks = self.view.chunks(clip, self.size)
            first = next(chunks)
        except (UserError, OSError) as error:
            yield collate([]) | {"skipped": [skip(self.split, clip, error)]}
            return
        for position, sample in enumerate(chain([first], chunks)):
            seed = mix(self.seed, SAMPLE_STREAM, EVALUATION, number, position)
            yield collate([Item(sample, clip.name, seed, None, [])])
