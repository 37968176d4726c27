"""What happens around training: each callback is one file and knows nothing of the method."""

from __future__ import annotations

from animate.training.callbacks.checkpoints import Checkpoints
from animate.training.callbacks.dashboards import Dashboards
from animate.training.callbacks.ema import EMA
from animate.training.callbacks.learning_rate import LearningRate
from animate.training.callbacks.memory import Memory
from animate.training.callbacks.metrics import Metrics
from animate.training.callbacks.nan_guard import NanGuard
from animate.training.callbacks.rescue import Rescue
from animate.training.callbacks.samples import Samples
from animate.training.callbacks.throughput import Throughput

__all__ = [
    "EMA",
    "Checkpoints",
    "Dashboards",
    "LearningRate",
    "Memory",
    "Metrics",
    "NanGuard",
    "Rescue",
    "Samples",
    "Throughput",
]
