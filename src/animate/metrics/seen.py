"""What back-ends see in predictions, targets, sources and the predictions of baselines: each picture once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from animate.layouts import layout_named
from animate.metrics.boxes import BOXES, box_masks
from animate.metrics.evaluation import COPY_FIRST_FRAME, MODEL, PREVIOUS_FRAME, ROWS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from animate.metrics.annotation import Annotators
    from animate.types import Evaluated

Seen = dict[str, Tensor]
"""N pictures and all that was found in them, with N rows each: ``picture``, then ``<need>.value`` and
``<need>.found``."""
_MASK, _POINTS = "mask:", "points:"


class Observer:
    """Has the back-ends look at batches, and makes the baselines' predictions of what is seen already.

    Args:
        annotators: the back-ends.
        needs: what to look for, see :attr:`animate.metrics.base.VideoMetric.needs`.
        rows: whose predictions there are, see :class:`animate.metrics.scorer.Scorer`.

    """

    def __init__(self, annotators: Annotators, needs: frozenset[str], rows: Sequence[str] = ROWS) -> None:
        self.annotators = annotators
        self.baselines = [row for row in rows if row not in ROWS]
        self.masks = sorted(need.removeprefix(_MASK) for need in needs if need.startswith(_MASK))
        self.finds = sorted(need for need in needs if need == "identity" or need.startswith(_POINTS))
        self._clip: str | None = None
        self._target: Seen = {}
        self._last: dict[str, Seen] = {}
        """The last picture that each of the rows has shown which tend to repeat themselves."""

    def observe(self, frames: Evaluated) -> dict[str, Evaluated]:
        """Give for each row the frames as metrics read them, in the row's own prediction.

        What ``frames`` tells of targets already is used.
        """
        clips = frames["clip"]
        target = self._look(frames["target"], _told(frames, "target"))
        source = self._repeated(COPY_FIRST_FRAME, frames["source"])
        prediction = self._look(frames["prediction"], _told(frames, "prediction"))
        previous = self._previous(target, source, clips)
        self._clip, self._target = clips[-1], _last(target)
        common: dict[str, Any] = {**frames, "masks": self._masks(frames, target)}
        common |= _entries("target", target) | _entries("source", source)
        predictions = {MODEL: prediction, COPY_FIRST_FRAME: source, PREVIOUS_FRAME: previous}
        for row in self.baselines:
            predictions[row] = self._repeated(row, frames["baselines"][row])
        rows: Any = {row: common | _entries("prediction", seen) for row, seen in predictions.items()}
        found: dict[str, Evaluated] = rows
        return found

    def _look(self, pictures: Tensor, told: Seen) -> Seen:
        seen = {"picture": pictures} | told
        for need in self.finds:
            if f"{need}.value" not in seen and need in self.annotators.offered:
                found = self.annotators.find(need, pictures)
                seen |= {f"{need}.{key}": value for key, value in found.items()}
        return seen

    def _repeated(self, row: str, pictures: Tensor) -> Seen:
        """Look once at pictures that follow each other and are the same, as the sources of a clip."""
        if not self.finds:
            return {"picture": pictures}
        seen, rows = self._last.get(row, {}), []
        for i in range(len(pictures)):
            picture = pictures[i : i + 1]
            if not torch.equal(seen.get("picture", picture[:0]), picture):
                seen = self._look(picture, {})
            rows.append(seen)
        self._last[row] = {key: value.clone() for key, value in seen.items()}  # not the batch that it is of
        return {key: torch.cat([one[key] for one in rows]) for key in seen}

    def _previous(self, target: Seen, source: Seen, clips: Sequence[str]) -> Seen:
        """Give the target one frame earlier; for a clip's first frame, its source."""

        def row(key: str, i: int) -> Tensor:
            if clips[i] != (clips[i - 1] if i else self._clip):
                return source[key][i]
            return target[key][i - 1] if i else self._target[key][0]

        keys = target.keys() & source.keys()
        return {key: torch.stack([row(key, i) for i in range(len(clips))]) for key in keys}

    def _masks(self, frames: Evaluated, target: Seen) -> dict[str, Tensor]:
        masks = dict(frames.get("masks", {}))
        for region in self.masks:
            if region not in masks and f"{_MASK}{region}" in self.annotators.offered:
                made = self._boxes(target) if region in BOXES else {}
                masks |= made or {region: self.annotators.mask(region, frames["target"])}
        return masks

    def _boxes(self, target: Seen) -> dict[str, Tensor]:
        """Make the masks of all boxes, of what was found in the targets already or is looked for now."""
        body, pictures = self.annotators.body, target["picture"]
        need = f"{_POINTS}{body}"
        known = {key: target[f"{need}.{key}"] for key in ("value", "found") if f"{need}.{key}" in target}
        found = known or self.annotators.find(need, pictures)
        layout = layout_named(self.annotators.points[body].layout)
        size = (pictures.shape[-2], pictures.shape[-1])
        return box_masks(found["value"], found["found"], layout, size)


def _told(frames: Evaluated, side: str) -> Seen:
    """Give what ``frames`` brings along of predictions or targets."""
    entries: Any = frames
    told = {f"{_POINTS}{name}": found for name, found in entries.get(f"{side}_points", {}).items()}
    if f"{side}_identity" in entries:
        told["identity"] = entries[f"{side}_identity"]
    return {f"{need}.{key}": value for need, found in told.items() for key, value in found.items()}


def _entries(side: str, seen: Seen) -> dict[str, Any]:
    """Name what was seen as :class:`animate.types.Evaluated` does."""
    found: dict[str, dict[str, Tensor]] = {}
    for name, value in seen.items():
        need, _, key = name.rpartition(".")
        found.setdefault(need, {})[key] = value
    points = {need.removeprefix(_POINTS): entry for need, entry in found.items() if need.startswith(_POINTS)}
    entries: dict[str, Any] = {side: seen["picture"], f"{side}_points": points}
    return entries | ({f"{side}_identity": found["identity"]} if "identity" in found else {})


def _last(seen: Seen) -> Seen:
    """Copy the last picture with what was found in it, so that the batch need not be kept."""
    return {key: value[-1:].clone() for key, value in seen.items()}
