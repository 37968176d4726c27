"""From a sample's name to its arrays: what runs in the data workers.

A worker decodes, brings frames to one size and draws the augmentation's parameters; it hands over uint8.
Nothing here remembers what came before: a sample is a function of the run's seed and its own name, whoever
reads it.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import threading
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple, TypedDict

import numpy as np
import torch
from torch.utils.data import Dataset

from animate.data.clip_table import ClipTable
from animate.data.clips import ClipCache
from animate.data.index import printable
from animate.errors import UserError
from animate.ops.random import mix, numpy_generator

if TYPE_CHECKING:
    from collections.abc import Sequence
    from multiprocessing.process import BaseProcess

    from torch import Tensor

    from animate.data.index import Clip, Split
    from animate.data.sampler import SampleKey
    from animate.data.transforms import Augmentation, Draw
    from animate.data.views import Sample, View

ATTEMPTS = 10
"""How many draws are made for one sample before it is given up."""
NOT_TEMPORAL = frozenset({"identity"})
"""The keys of a sample whose first axis is not time."""
# The streams of a sample's seed. The draws of view and augmentation are apart, so that a view that draws more
# does not change the augmentation.
SAMPLE_STREAM, _VIEW, _AUGMENTATION = 2, 3, 4


class Skipped(NamedTuple):
    """A clip that could not be read."""

    clip: str
    """Split and name."""
    reason: str


class Item(NamedTuple):
    """One sample as a worker made it."""

    sample: Sample | None
    """None when nothing could be read."""
    clip: str
    seed: int
    draw: Draw | None
    skipped: list[Skipped]


def skip(split: Split, clip: Clip, error: Exception) -> Skipped:
    """Say in one line why a clip could not be read."""
    reason = " ".join(str(error).split())
    return Skipped(printable(f"{split}/{clip.name}"), printable(reason))


class RawBatch(TypedDict):
    """A batch as the workers hand it over: (B, ...) tensors under the names of ``types.Batch``, and these."""

    tensors: dict[str, Tensor]
    clip: list[str]
    seed: list[int]
    draws: list[Draw | None]
    skipped: list[Skipped]
    complete: bool
    """Whether every sample could be made; if not, there are no tensors."""


class ClipDataset(Dataset[Item]):
    """Samples of clips, by :class:`~animate.data.sampler.SampleKey`.

    Args:
        split: the split's name, for messages.
        subjects: clips by subject. Sample ``number`` shows subject ``number`` modulo their count, so that
            an epoch shows each equally often; one of the subject's clips is drawn.
        view: what is taken of a clip.
        augmentation: draws its parameters here; none for evaluation.
        seed: the seed of the run.
        size: (height, width) of all frames.
        attempts: how many clips are tried for one sample before it is given up; 1 puts no other clip in the
            place of one that cannot be read.

    """

    def __init__(
        self,
        split: Split,
        subjects: Sequence[Sequence[Clip]],
        view: View,
        *,
        augmentation: Augmentation | None,
        seed: int,
        size: tuple[int, int],
        attempts: int = ATTEMPTS,
    ) -> None:
        self.split: Split = split
        self.subjects = subjects
        self.view = view
        self.augmentation = augmentation
        self.seed = seed
        self.size = size
        self.attempts = attempts
        self._cache = ClipCache()

    def __getstate__(self) -> dict[str, Any]:
        """Pack the clips on the way to the first worker; the others get the same."""
        if not isinstance(self.subjects, ClipTable):
            self.subjects = ClipTable(self.subjects)
        return self.__dict__

    def __len__(self) -> int:
        return len(self.subjects)

    def __getitem__(self, key: SampleKey) -> Item:
        """Read the sample; where a clip fails, say so and draw another from the same seed."""
        seed = mix(self.seed, SAMPLE_STREAM, *key)
        draw = self.augmentation.draw(numpy_generator(seed, _AUGMENTATION)) if self.augmentation else None
        skipped: list[Skipped] = []
        clip = None
        for attempt in range(self.attempts):
            rng = numpy_generator(seed, _VIEW, attempt)
            clip = self._clip(key.number if attempt == 0 else int(rng.integers(len(self.subjects))), rng)
            try:
                sample = self.view(clip, self._cache.open(clip), rng, self.size)
            except (UserError, OSError) as error:
                skipped.append(skip(self.split, clip, error))
                continue
            return Item(in_time(sample, draw), clip.name, seed, draw, skipped)
        return Item(None, clip.name if clip else "", seed, draw, skipped)

    def _clip(self, number: int, rng: np.random.Generator) -> Clip:
        clips = self.subjects[number % len(self.subjects)]
        return clips[int(rng.integers(len(clips)))]


def in_time(sample: Sample, draw: Draw | None) -> Sample:
    """Turn the sample's time axis round when the draw says so."""
    if draw is None or not draw.time_flip:
        return sample
    return {key: value if key in NOT_TEMPORAL else value[::-1] for key, value in sample.items()}


def collate(items: list[Item]) -> RawBatch:
    """Stack items to a batch."""
    samples = [item.sample for item in items if item.sample is not None]
    # The error belongs into the main process: raised here it would arrive as a traceback of a worker.
    complete = len(samples) == len(items)
    keys = samples[0].keys() if complete and samples else ()
    return RawBatch(
        tensors={key: torch.from_numpy(np.stack([sample[key] for sample in samples])) for key in keys},
        clip=[item.clip for item in items],
        seed=[item.seed for item in items],
        draws=[item.draw for item in items],
        skipped=list(chain.from_iterable(item.skipped for item in items)),
        complete=complete,
    )


def collate_readable(items: list[Item]) -> RawBatch:
    """Stack those items that could be read; a batch of no clips where none could."""
    batch = collate([item for item in items if item.sample is not None])
    batch["skipped"] = list(chain.from_iterable(item.skipped for item in items))
    return batch


def by_subject(clips: Sequence[Clip]) -> list[list[Clip]]:
    """Group clips by subject, in the order in which subjects first appear."""
    groups: dict[str, list[Clip]] = {}
    for clip in clips:
        groups.setdefault(clip.subject, []).append(clip)
    return list(groups.values())


def quiet_worker(_: int) -> None:
    """Keep a data worker to one thread, and to the life of the process that reads from it.

    Parallelism comes from the number of workers. Signals are the reader's to answer.
    """
    import cv2

    cv2.setNumThreads(0)
    gc.freeze()  # else the collector writes into, and so copies, every page that the workers share
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # where there is no fork server that could have blocked it
    reader = multiprocessing.parent_process()
    if reader is not None:
        threading.Thread(target=_end_with, args=(reader,), daemon=True).start()


def _end_with(reader: BaseProcess) -> None:
    """Leave when the reader is gone, even by SIGKILL.

    Torch watches the parent's number, which is the fork server's; and that lives as long as its workers.
    """
    reader.join()
    os._exit(1)
