"""Evaluations made up for tests."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from animate.metrics.base import Definition
from animate.metrics.evaluation import ClipResult, Evaluation, Summary

L1 = Definition("l1", "mean |p - t|", "", 0.0, 1.0, False, "a paper")
PSNR = Definition("psnr", "10 log10(1 / MSE)", "dB", 0.0, math.inf, True, "a paper")
FID = Definition("fid", "Fréchet distance", "", 0.0, math.inf, False, "a paper", "inception 1.0")
PLACE = {"crop": "none", "codec": "lossless"}


def outcome(
    values: dict[str, dict[str, float]],
    frames: dict[str, int] | None = None,
    definitions: tuple[Definition, ...] = (L1, PSNR),
    **others,
) -> Evaluation:
    """An evaluation from ``{clip: {metric: value}}``; the summaries are the means over frames.

    Copying the first frame scores half a unit more on everything.
    """
    frames = dict.fromkeys(values, 10) | (frames or {})
    clips = [
        ClipResult(
            name,
            frames[name],
            {"model": one, "copy_first_frame": {metric: value + 0.5 for metric, value in one.items()}},
            {},
        )
        for name, one in values.items()
    ]
    rows = {
        row: {d.name: summary(clips, row, d.name) for d in definitions}
        for row in ("model", "copy_first_frame")
    }
    return Evaluation(list(definitions), rows, clips, **({"provenance": dict(PLACE)} | others))


def summary(clips: list[ClipResult], row: str, metric: str) -> Summary:
    having = [clip for clip in clips if not math.isnan(clip.values[row].get(metric, math.nan))]
    if not having:
        return Summary(math.nan, math.nan, math.nan, 0, 0)
    weights = [clip.frames for clip in having]
    value = float(np.average([clip.values[row][metric] for clip in having], weights=weights))
    return Summary(value, value - 0.1, value + 0.1, sum(weights), 0)


def redefined(evaluation: Evaluation, name: str, **changes) -> Evaluation:
    """The same numbers under another definition of a metric."""
    definitions = [replace(d, **changes) if d.name == name else d for d in evaluation.definitions]
    return replace(evaluation, definitions=definitions)
