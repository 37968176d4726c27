"""Scores what a model predicts, beside baselines, into an :class:`Evaluation`; one process or many."""

from __future__ import annotations

import copy
import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
import torch.distributed as dist

from animate.errors import UserError
from animate.metrics.annotation import Annotators
from animate.metrics.base import FrameMetric, VideoMetric
from animate.metrics.clip_table import ClipTable, Column, merged
from animate.metrics.evaluation import MODEL, PREVIOUS_FRAME, ROWS, ClipResult, Evaluation, Summary
from animate.metrics.seen import Observer

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from animate.metrics.base import Definition
    from animate.types import Evaluated, StepOutput

_NAN = float("nan")


class _Share(NamedTuple):
    """What one process has to say, for the others."""

    table: ClipTable
    missing: dict[Column, int]
    """Of metrics over sets."""
    unavailable: dict[str, str]
    skipped: list[str]


class Scorer:
    """Reads batches of frames, clip by clip, and says at the end how good they were.

    There are three rows, unless others are asked for: the model's; ``copy_first_frame``, whose prediction is
    the source; and ``previous_frame``, whose prediction is the target one frame earlier of those that are
    scored, the source for a clip's first. Whatever else is called a row brings its predictions along, in
    ``baselines`` of :class:`animate.types.Evaluated`. Metrics over sets (FID) leave ``previous_frame`` out,
    which shows nearly the same set as the targets, and metrics that do not read predictions have the model's
    row only.

    Back-ends look at every picture at most once, and only for what the metrics need. Memory grows with the
    clips, not with the frames. A metric that refuses the pictures (too small for it) does not end the
    evaluation: it is listed in ``unavailable``, with its reason.

    Args:
        metrics: what to compute; shallow copies are filled, these stay as they are.
        annotators: the back-ends that metrics need.
        device: where metrics compute; with several processes one that their process group can send from.
        rows: whose predictions are scored, the model's among them; the same on all processes.

    Raises:
        UserError: two metrics have the same name.

    """

    def __init__(
        self,
        metrics: Iterable[VideoMetric],
        annotators: Annotators | None = None,
        device: torch.device | str = "cpu",
        rows: Sequence[str] = ROWS,
    ) -> None:
        self._device, self._rows = torch.device(device), tuple(rows)
        self._definitions: dict[str, Definition] = {}
        self._metrics: dict[Column, VideoMetric] = {}
        self._unavailable: dict[str, str] = {}
        self._table = ClipTable()
        for metric in metrics:
            self._place(metric)
        needs = frozenset[str]().union(*(metric.needs for metric in self._metrics.values()))
        self._observer = Observer(annotators or Annotators(), needs, self._rows)

    def _place(self, metric: VideoMetric) -> None:
        definition = metric.definition
        if definition.name in self._definitions:
            raise UserError(f"metrics: {definition.name} is named twice")
        self._definitions[definition.name] = definition
        for row in rows_of(metric, self._rows):
            self._metrics[Column(row, definition.name)] = twin(metric).to(self._device)

    @torch.no_grad()
    def update(self, output: StepOutput) -> None:
        """Add N frames. A clip's frames arrive in order, and before those of the next clip.

        Args:
            output: what the model's step returned; entries of :class:`animate.types.Evaluated` that are there
                already are used as they are.

        Raises:
            UserError: a prediction is not finite, or of another size than its target.

        """
        if not output["clip"]:
            return
        frames = evaluated(output, self._device)
        _check(frames)
        observed = self._observer.observe(frames)
        self._table.count(frames["clip"])
        for column, metric in list(self._metrics.items()):
            if column.metric not in self._unavailable:
                self._score(column, metric, observed[column.row])

    def _score(self, column: Column, metric: VideoMetric, frames: Evaluated) -> None:
        try:
            if isinstance(metric, FrameMetric):
                self._table.add(column, frames["clip"], metric.per_frame(frames))
            else:
                metric.update(frames)
        except UserError as error:
            self._unavailable[column.metric] = str(error)

    def compute(
        self,
        *,
        skipped: Sequence[str] = (),
        unavailable: Mapping[str, str] | None = None,
        warnings: Sequence[str] = (),
        provenance: Mapping[str, Any] | None = None,
    ) -> Evaluation:
        """Put the frames of all processes together; each of them gets the same.

        Args:
            skipped: clips that this process could not read, each ``name: reason``.
            unavailable: metrics that could not be built, with the reason.
            warnings: see :class:`Evaluation`.
            provenance: see :class:`Evaluation`.

        """
        missing = {column: int(getattr(metric, "missing", 0)) for column, metric in self._metrics.items()}
        shares = _of_all(_Share(self._table, missing, self._unavailable, list(skipped)))
        table = merged(share.table for share in shares)
        reasons = dict(unavailable or {})
        for share in shares:
            reasons |= share.unavailable
        columns = {c: m for c, m in self._metrics.items() if c.metric not in reasons}
        lost = {column: sum(share.missing[column] for share in shares) for column in columns}
        return Evaluation(
            definitions=[found for name, found in self._definitions.items() if name not in reasons],
            rows=self._summaries(columns, table, lost),
            clips=[self._clip(table, name, columns) for name in table.clips],
            skipped=sorted({line for share in shares for line in share.skipped}),
            unavailable=reasons,
            warnings=list(warnings),
            provenance=dict(provenance or {}),
        )

    def _summaries(
        self, columns: Mapping[Column, VideoMetric], table: ClipTable, missing: Mapping[Column, int]
    ) -> dict[str, dict[str, Summary]]:
        rows: dict[str, dict[str, Summary]] = {row: {} for row in self._rows}
        for column, metric in columns.items():
            rows[column.row][column.metric] = _summary(column, metric, table, missing[column])
        return rows

    def _clip(self, table: ClipTable, name: str, columns: Mapping[Column, VideoMetric]) -> ClipResult:
        values: dict[str, dict[str, float]] = {row: {} for row in self._rows}
        missing: dict[str, dict[str, int]] = {}
        for column, metric in columns.items():
            if isinstance(metric, FrameMetric):
                sums = table.of(name, column)
                values[column.row][column.metric] = sums.mean
                if sums.missing:
                    missing.setdefault(column.row, {})[column.metric] = sums.missing
        return ClipResult(name, table.frames[name], values, missing)


def rows_of(metric: VideoMetric, rows: Sequence[str]) -> tuple[str, ...]:
    """Tell which of some rows a metric has; see :class:`Scorer`."""
    if not metric.reads_prediction:
        return (MODEL,)
    over_sets = not isinstance(metric, FrameMetric)
    return tuple(row for row in rows if not (over_sets and row == PREVIOUS_FRAME))


def twin(metric: VideoMetric) -> VideoMetric:
    """Make a metric that has seen nothing yet and shares the networks."""
    made = copy.copy(metric)
    for name, default in made._defaults.items():
        if isinstance(default, list):
            setattr(made, name, [])  # torchmetrics empties a list in place
    made.reset()
    return made


def evaluated(output: StepOutput, device: torch.device) -> Evaluated:
    """Bring what a step returned to the device; its ``mask`` is the region ``hole`` of the target."""
    frames: Any = {key: _moved(value, device) for key, value in output.items() if key != "pictures"}
    if "mask" in frames:
        frames["masks"] = {"hole": frames["mask"]} | frames.get("masks", {})
    found: Evaluated = frames
    return found


def _moved(value: Any, device: torch.device) -> Any:
    if isinstance(value, torch.Tensor):
        return value.to(device)
    if isinstance(value, dict):
        return {key: _moved(entry, device) for key, entry in value.items()}
    return value


def _check(frames: Evaluated) -> None:
    shapes = {
        tuple(pictures.shape) for pictures in (frames["prediction"], frames["target"], frames["source"])
    }
    if len(shapes) > 1:
        sizes = " and ".join(sorted(f"{shape[-1]}x{shape[-2]}" for shape in shapes))
        raise UserError(f"clip {frames['clip'][0]}: prediction, target and source differ in size: {sizes}")
    finite = frames["prediction"].flatten(1).isfinite().all(1).tolist()
    if not all(finite):
        clip, frame = next(
            (clip, frame)
            for clip, frame, good in zip(frames["clip"], frames["frame"], finite, strict=True)
            if not good
        )
        raise UserError(
            f"clip {clip}: the prediction of frame {frame} holds NaN or infinity; the model has diverged, or"
            " its weights are damaged"
        )


def _of_all(share: _Share) -> list[_Share]:
    """Collect what every process has, in the order of ranks."""
    if not (dist.is_available() and dist.is_initialized()):
        return [share]
    shares: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(shares, share)
    return shares


def _summary(column: Column, metric: VideoMetric, table: ClipTable, missing: int) -> Summary:
    if isinstance(metric, FrameMetric):
        found, total = table.interval(column), table.total(column)
        return Summary(*found, frames=total.count, missing=total.missing)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The ``compute`` method")  # a process may have no clip
        value = float(metric.compute())
    return Summary(value, _NAN, _NAN, frames=table.frames.total() - missing, missing=missing)
