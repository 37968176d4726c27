"""The outcome of an evaluation as plain values: what reports are written from and comparisons read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from animate.metrics.base import Definition

MODEL = "model"
COPY_FIRST_FRAME = "copy_first_frame"
PREVIOUS_FRAME = "previous_frame"
ROWS = (MODEL, COPY_FIRST_FRAME, PREVIOUS_FRAME)
"""The rows that need nothing but the frames that are scored."""


@dataclass(frozen=True, slots=True)
class Summary:
    """One metric of one row over all frames."""

    value: float
    """Mean over frames, or the value of a metric over sets; NaN when nothing was defined."""
    low: float
    """Lower end of the 95 % bootstrap interval over clips; NaN for metrics over sets, and for one clip."""
    high: float
    """Upper end of it."""
    frames: int
    """How many frames counted."""
    missing: int
    """How many did not because a back-end found nothing."""


@dataclass(frozen=True, slots=True)
class ClipResult:
    """One clip."""

    name: str
    frames: int
    values: dict[str, dict[str, float]]
    """By row, then by metric: the mean over the clip's frames; NaN when none was defined. Metrics over sets
    have no value per clip."""
    missing: dict[str, dict[str, int]]
    """By row, then by metric: frames in which a back-end found nothing; only where there are some."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """All numbers of an evaluation, with their meaning and where they come from."""

    definitions: list[Definition]
    """The columns, in order."""
    rows: dict[str, dict[str, Summary]]
    """``model`` and the baselines; in each, a summary by metric."""
    clips: list[ClipResult]
    skipped: list[str] = field(default_factory=list)
    """Clips that could not be read, each ``name: reason``."""
    unavailable: dict[str, str] = field(default_factory=dict)
    """Metrics that could not be computed, with the reason (``weights not available: ...``)."""
    warnings: list[str] = field(default_factory=list)
    """What a reader must know, like ``scored on a lossy mp4``."""
    provenance: dict[str, Any] = field(default_factory=dict)
    """Plain values: checkpoint, config, data, crop, codec, version, git revision, date, machine."""
