"""Averages over all frames of an evaluation, on one process or many."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor
from torchmetrics import Metric

from animate.metrics.functional import l1, psnr, ssim


class FrameMean(Metric):
    """The mean over frames of a per-frame value: a float64 sum and a count, added up across processes.

    Every frame counts once, so the result does not depend on how frames were put into batches or on which
    process.
    """

    full_state_update = False
    total: Tensor
    count: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("total", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("count", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    @abstractmethod
    def per_frame(self, prediction: Tensor, target: Tensor) -> Tensor:
        """``(N,)`` float64 of two ``(N, C, H, W)`` in [0, 1]."""

    def update(self, prediction: Tensor, target: Tensor) -> None:
        """Add N frames."""
        values = self.per_frame(prediction, target)
        self.total += values.sum()
        self.count += len(values)

    def compute(self) -> Tensor:
        """Return the mean over all frames of all processes, NaN when there were none."""
        return self.total / self.count


class L1(FrameMean):
    """Mean absolute difference; lower is better. See :func:`animate.metrics.functional.l1`."""

    higher_is_better = False

    def per_frame(self, prediction: Tensor, target: Tensor) -> Tensor:
        """See :class:`FrameMean`."""
        return l1(prediction, target)


class PSNR(FrameMean):
    """Mean over frames of the peak signal-to-noise ratio in dB; higher is better."""

    higher_is_better = True

    def per_frame(self, prediction: Tensor, target: Tensor) -> Tensor:
        """See :class:`FrameMean`."""
        return psnr(prediction, target)


class SSIM(FrameMean):
    """Mean over frames of the structural similarity; higher is better."""

    higher_is_better = True

    def per_frame(self, prediction: Tensor, target: Tensor) -> Tensor:
        """See :class:`FrameMean`."""
        return ssim(prediction, target)
