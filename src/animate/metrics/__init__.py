"""How good a prediction is: pure functions per frame, torchmetrics classes over them, and the scorer.

The scorer puts metrics, baselines and intervals into an :class:`Evaluation`.
"""

from __future__ import annotations

from animate.metrics.annotation import Annotators
from animate.metrics.base import Definition, FrameMetric, FrameScores, VideoMetric
from animate.metrics.catalogue import MetricSet, Networks, build
from animate.metrics.evaluation import Evaluation
from animate.metrics.pixels import L1, MSSSIM, PSNR, SSIM, OneMinusMSSSIM
from animate.metrics.scorer import Scorer

__all__ = [
    "L1",
    "MSSSIM",
    "PSNR",
    "SSIM",
    "Annotators",
    "Definition",
    "Evaluation",
    "FrameMetric",
    "FrameScores",
    "MetricSet",
    "Networks",
    "OneMinusMSSSIM",
    "Scorer",
    "VideoMetric",
    "build",
]
