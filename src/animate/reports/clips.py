"""The clips that a report shows: the best and the worst, with their pictures and videos."""

from __future__ import annotations

import base64
import math
from typing import TYPE_CHECKING, NamedTuple

from animate.metrics.evaluation import COPY_FIRST_FRAME, MODEL
from animate.reports.numbers import number_format, shown

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from animate.metrics.base import Definition
    from animate.metrics.evaluation import ClipResult, Evaluation
    from animate.reports.recorder import Recorder

MAIN = "l1"
SHOWN = 4
"""Of the best, and of the worst; with fewer than twice as many clips all are shown once."""


class ClipView(NamedTuple):
    """A clip as it is shown."""

    name: str
    frames: int
    value: str
    baseline: str
    """What copying the first frame scores; empty where that is not known."""
    picture: str
    """A data URI of the frame with the largest error; empty where there is none."""
    video: str
    """A data URI of the clip; empty where there is none."""


def main_metric(evaluation: Evaluation) -> Definition | None:
    """Choose what clips are ranked by: ``l1``, else the first with a value for some clip, else nothing."""
    ranked = [d for d in evaluation.definitions if any(_defined(c, MODEL, d.name) for c in evaluation.clips)]
    return next((d for d in ranked if d.name == MAIN), ranked[0] if ranked else None)


def best_and_worst(
    evaluation: Evaluation, metric: Definition, recorder: Recorder | None
) -> list[tuple[str, list[ClipView]]]:
    """Group the clips to show, each group with its heading; the ends of the ranking come first in each."""
    ranked = [clip for clip in evaluation.clips if _defined(clip, MODEL, metric.name)]
    ranked.sort(key=lambda clip: clip.values[MODEL][metric.name], reverse=metric.higher_is_better)
    specification = number_format(_of(clip, MODEL, metric.name) for clip in ranked)
    if len(ranked) < 2 * SHOWN:
        groups = [("All clips, from best to worst", ranked)]
    else:
        groups = [("Best clips", ranked[:SHOWN]), ("Worst clips", ranked[: -SHOWN - 1 : -1])]
    return [(heading, _views(clips, metric.name, specification, recorder)) for heading, clips in groups]


def _of(clip: ClipResult, row: str, metric: str) -> float:
    return clip.values.get(row, {}).get(metric, math.nan)


def _defined(clip: ClipResult, row: str, metric: str) -> bool:
    return not math.isnan(_of(clip, row, metric))


def _views(
    clips: Iterable[ClipResult], metric: str, specification: str, recorder: Recorder | None
) -> list[ClipView]:
    return [
        ClipView(
            clip.name,
            clip.frames,
            shown(_of(clip, MODEL, metric), specification),
            shown(_of(clip, COPY_FIRST_FRAME, metric), specification)
            if _defined(clip, COPY_FIRST_FRAME, metric)
            else "",
            _data_uri(recorder.recording(clip.name).worst, "image/jpeg") if recorder else "",
            _data_uri(recorder.recording(clip.name).video, "video/mp4") if recorder else "",
        )
        for clip in clips
    ]


def _data_uri(path: Path, kind: str) -> str:
    if not path.is_file():
        return ""
    return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode('ascii')}"
