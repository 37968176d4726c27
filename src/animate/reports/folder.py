"""All files of a report."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from animate.reports.page import report_page
from animate.reports.record import METRICS, PER_CLIP, write_per_clip, write_record
from animate.reports.recorder import COLUMNS, MAX_FRAMES
from animate.video.decode import stream
from animate.video.encode import VideoWriter
from animate.video.grid import tile

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from animate.metrics.evaluation import Evaluation
    from animate.reports.recorder import Recorder

    Picture = NDArray[np.uint8]

PAGE = "report.html"
SIDE_BY_SIDE = "side_by_side.mp4"
MAX_CLIPS = 24
"""Clips in the long video: the first ones that were recorded."""


def write(evaluation: Evaluation, folder: Path, recorder: Recorder | None = None) -> None:
    """Write ``metrics.json``, ``per_clip.csv``, ``report.html`` and, with a recorder, ``side_by_side.mp4``.

    Args:
        evaluation: the outcome.
        folder: must exist; whoever calls sees to it that it appears whole or not at all.
        recorder: what was recorded of the clips, finished; without, the page has no pictures.

    Raises:
        UserError: the folder cannot be written to.

    """
    write_record(evaluation, folder / METRICS)
    write_per_clip(evaluation, folder / PER_CLIP)
    recorded = _recorded(evaluation, recorder) if recorder is not None else []
    about = ""
    if recorder is not None and recorded:
        _write_side_by_side(recorded[:MAX_CLIPS], folder / SIDE_BY_SIDE, recorder.fps)
        about = _about(len(recorded), len(evaluation.clips))
    page = report_page(evaluation, recorder, about)
    (folder / PAGE).write_text(page, encoding="utf-8", errors="backslashreplace")


def _recorded(evaluation: Evaluation, recorder: Recorder) -> list[tuple[str, Path]]:
    """Name and video of each clip that has one, in the order of the evaluation."""
    videos = [(clip.name, recorder.recording(clip.name).video) for clip in evaluation.clips]
    return [(name, video) for name, video in videos if video.is_file()]


def _about(recorded: int, clips: int) -> str:
    clips_shown = min(recorded, MAX_CLIPS)
    which = f"all {clips}" if clips_shown == clips else f"the first {clips_shown} of {clips}"
    return f"{SIDE_BY_SIDE} shows {which} clips, at most {MAX_FRAMES} frames of each."


def _write_side_by_side(clips: Sequence[tuple[str, Path]], target: Path, fps: float) -> None:
    """Put the clips' videos behind one another, each under its name, all in the first one's size."""
    cell: tuple[int, int] | None = None
    with VideoWriter(target, fps, overwrite=True) as writer:
        for name, video in clips:
            header: Picture | None = None
            for frame in stream(video):
                cell = cell or (frame.image.shape[0], frame.image.shape[1])
                picture = tile([[frame.image]], cell=cell)
                if header is None:  # drawn once, because drawing text takes longer than all else
                    header = _header(name, picture, cell)
                writer.write(np.concatenate([header, picture]))


def _header(name: str, picture: Picture, cell: tuple[int, int]) -> Picture:
    """Draw what stands above a clip's pictures."""
    label = f"{' | '.join(COLUMNS)}: {name}".encode("utf-8", "backslashreplace").decode()
    labelled = tile([[picture]], [label], cell)
    return labelled[: len(labelled) - len(picture)]
