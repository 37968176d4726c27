"""What every metric is: a torchmetrics class that reads frames and says what it measured."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor
from torchmetrics import Metric

if TYPE_CHECKING:
    from animate.types import Evaluated


@dataclass(frozen=True, slots=True)
class Definition:
    """What a column of results means. Numbers under different definitions are not comparable."""

    name: str
    """Of the column, like ``psnr`` or ``akd_coordinate``."""
    text: str
    """Formula and parameters in one line."""
    unit: str
    """Like ``dB`` or ``px``; empty for a pure number."""
    low: float
    """Lowest possible value."""
    high: float
    """Highest possible value; may be infinite."""
    higher_is_better: bool
    source: str
    """Paper or code that defines it."""
    backend: str = ""
    """Name and version of the networks behind it, like ``dlib 20.0.1 face68``; empty where there are none."""


class FrameScores(NamedTuple):
    """What a metric says about each of N frames."""

    value: Tensor
    """(N,) float64; NaN where it is not defined: such a frame does not enter the mean."""
    missing: Tensor | None = None
    """(N,) bool: the frames that are not defined because a back-end found nothing in the prediction, or in
    the target; they are counted and reported."""


class VideoMetric(Metric):
    """A metric over the frames of videos: added to batch by batch, equal on one process and on many.

    What it remembers between batches :meth:`reset` replaces by new objects, so that a shallow copy that is
    reset shares the networks and nothing else.
    """

    full_state_update = False
    needs: frozenset[str] = frozenset()
    """What it reads besides pictures, clips and frame numbers; whoever calls it sees to it. ``points:<name>``
    and ``identity`` stand for what a back-end finds in predictions, targets and sources, ``mask:<region>``
    for a region of the targets."""
    reads_prediction = True
    """False for a metric that says the same whatever was predicted: baselines do not repeat it."""

    @property
    @abstractmethod
    def definition(self) -> Definition:
        """What is measured."""

    @abstractmethod
    def update(self, frames: Evaluated) -> None:
        """Add N frames. The frames of a clip arrive in the order of time."""

    @abstractmethod
    def compute(self) -> Tensor:
        """Return the value over all frames of all processes, () float64; NaN when nothing was defined."""


class FrameMetric(VideoMetric):
    """The mean over frames of a per-frame value: float64 sums and counts, added up across processes.

    Every frame counts once, so the result does not depend on how frames were put into batches or on which
    process. A prediction that holds NaN or infinity makes the whole result NaN: it is no frame to leave out.
    """

    total: Tensor
    count: Tensor
    missing: Tensor
    """How many frames did not count because a back-end found nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.add_state("total", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("count", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")
        self.add_state("missing", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    @abstractmethod
    def per_frame(self, frames: Evaluated) -> FrameScores:
        """Score each of N frames; may remember what it needs of the clip's frame before."""

    def update(self, frames: Evaluated) -> None:
        """See :class:`VideoMetric`."""
        scores = self.per_frame(frames)
        defined = ~scores.value.isnan()
        self.total += scores.value[defined].sum()
        self.count += defined.sum()
        if scores.missing is not None:
            self.missing += scores.missing.sum()
        if not frames["prediction"].isfinite().all():
            self.total += torch.nan

    def compute(self) -> Tensor:
        """See :class:`VideoMetric`."""
        return self.total / self.count
