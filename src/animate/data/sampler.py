"""Which samples make up a batch: computed from (seed, epoch, position), so that a run can continue anywhere.

Training takes *global* batches: what one optimiser step sees depends on the seed, the epoch and the number of
the step only. How it is cut over devices and accumulated micro-batches is arithmetic: of G samples in a
global batch, each of D ranks takes A micro-batches of m = G / (D*A), and micro-batch a of step s on rank r
begins at

    ((s*A + a)*D + r) * m

in the order of the epoch. Evaluation deals the clips out once each, in equally many batches per rank.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from torch.utils.data import Sampler

from animate.errors import UserError
from animate.ops.random import numpy_generator

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

EVALUATION = -1
"""The epoch of evaluation samples: they are the same each time."""
_SHUFFLE = 1  # the stream of the permutations under the run's seed


class SampleKey(NamedTuple):
    """The name of a sample; with the run's seed it fixes every draw."""

    epoch: int
    """``EVALUATION`` outside of training."""
    number: int
    """Of the sample within the epoch, before sharding: the same on every rank."""


class Position(NamedTuple):
    """How far training has come."""

    epoch: int
    batches: int
    """Micro-batches of this epoch that each rank has consumed."""


@dataclass(frozen=True, slots=True)
class BatchPlan:
    """How a global batch is cut.

    Args:
        batch_size: samples per optimiser step, over all devices and micro-batches.
        devices: how many processes train together.
        accumulation: how many micro-batches each of them adds up before a step.

    Raises:
        UserError: the global batch cannot be cut into equal parts.

    """

    batch_size: int
    devices: int = 1
    accumulation: int = 1

    def __post_init__(self) -> None:
        if self.accumulation < 1:
            raise UserError(f"trainer.accumulate_grad_batches={self.accumulation}: must be at least 1")
        parts = self.devices * self.accumulation
        if self.batch_size < 1 or self.batch_size % parts:
            raise UserError(
                f"data.batch_size={self.batch_size} is the global batch and cannot be divided over"
                f" {self.devices} devices x {self.accumulation} accumulated batches:"
                f" make it a multiple of {parts}"
            )

    @property
    def micro_batch(self) -> int:
        """Samples that one device takes at a time."""
        return self.batch_size // (self.devices * self.accumulation)


def epoch_order(seed: int, epoch: int, items: int, length: int) -> NDArray[np.int64]:
    """Compute the order of one epoch: the first ``length`` numbers of a permutation of ``items``.

    When more samples are wanted than there are items, further permutations follow, and their samples are
    numbered on (``items`` to ``2*items - 1`` for the second), so that no two samples share a number.
    """
    rounds = -(-length // items)
    orders = [
        numpy_generator(seed, _SHUFFLE, epoch, k).permutation(items).astype(np.int64) + k * items
        for k in range(rounds)
    ]
    return np.concatenate(orders)[:length]


class GlobalBatchSampler(Sampler[list[SampleKey]]):
    """The micro-batches of one rank, as lists of sample keys.

    Iterating gives the batches of the current position's epoch from that position on; ``len`` is that of the
    whole epoch, because Lightning adds the batches of the epoch's first part itself when it resumes.

    Args:
        items: how many different samples there are (clips or subjects, times repeats).
        steps: optimiser steps per epoch.
        plan: how a global batch is cut.
        seed: the seed of the run.
        rank: the number of this process, in [0, ``plan.devices``).
        position: where the first iteration begins.
        same_every_epoch: take the samples of epoch 0 in each epoch; for overfitting on purpose.

    """

    def __init__(
        self,
        items: int,
        steps: int,
        plan: BatchPlan,
        *,
        seed: int,
        rank: int = 0,
        position: Position = Position(0, 0),  # noqa: B008  a tuple cannot change
        same_every_epoch: bool = False,
    ) -> None:
        self.items, self.steps, self.plan = items, steps, plan
        self.seed, self.rank = seed, rank
        self.position = position
        self.same_every_epoch = same_every_epoch

    @property
    def sampler(self) -> GlobalBatchSampler:
        """Itself: Lightning calls ``set_epoch`` on ``batch_sampler.sampler``, never on the batch sampler."""
        return self

    def set_epoch(self, epoch: int) -> None:
        """Go to the start of an epoch; inside the epoch that is current already, stay."""
        if epoch != self.position.epoch:
            self.position = Position(epoch, 0)

    def __len__(self) -> int:
        return self.steps * self.plan.accumulation

    def __iter__(self) -> Iterator[list[SampleKey]]:
        # Read now and not at the first batch: an iterator belongs to the position at which it was made.
        return self._batches(*self.position)

    def _batches(self, epoch: int, start: int) -> Iterator[list[SampleKey]]:
        drawn = 0 if self.same_every_epoch else epoch
        order = epoch_order(self.seed, drawn, self.items, self.steps * self.plan.batch_size)
        size = self.plan.micro_batch
        for batch in range(start, len(self)):
            first = (batch * self.plan.devices + self.rank) * size
            yield [SampleKey(drawn, int(number)) for number in order[first : first + size]]


def derive_steps(items: int, batch_size: int, what: str) -> int:
    """Compute the optimiser steps of one epoch over ``items`` samples; an incomplete last batch is dropped.

    Args:
        items: clips (or subjects) times repeats.
        batch_size: the global batch.
        what: names the items in the message, like "12 clips x 5 repeats".

    Raises:
        UserError: one epoch would not fill one batch.

    """
    if items < batch_size:
        raise UserError(
            f"an epoch has {items} samples ({what}), fewer than one batch of data.batch_size={batch_size}:"
            " set a larger data.repeats, a smaller data.batch_size, or data.steps_per_epoch"
        )
    return items // batch_size


class EvaluationBatchSampler(Sampler[list[SampleKey]]):
    """Deals clips to ranks so that each is taken exactly once and every rank gets equally many batches.

    Nothing is padded; the batches differ in size by at most one instead. Equally many matters: under DDP a
    network with buffers meets the other ranks at each forward pass, and would wait for ever for a batch that
    they do not have. A batch holds ``batch_size`` clips at most; where that would leave some rank without a
    clip for its last batch (as 5 clips, one by one, on 2 ranks), it holds one more.

    Args:
        clips: how many clips are evaluated in all; at least ``devices``.
        batch_size: clips per batch on one device.
        rank: the number of this process.
        devices: how many processes evaluate together.

    """

    def __init__(self, clips: int, batch_size: int, rank: int = 0, devices: int = 1) -> None:
        per_rank = min(-(-clips // (devices * batch_size)), clips // devices)
        parts = np.array_split(np.arange(clips), per_rank * devices)
        self.batches = [[SampleKey(EVALUATION, int(clip)) for clip in part] for part in parts[rank::devices]]

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[list[SampleKey]]:
        return iter(self.batches)
