"""How a prediction moves: flicker, warping error, jitter.

A frame is scored against the frames just before it in its clip: by their numbers, so that a gap is never
taken for a movement. The first frames of a clip, and the first behind a gap, are not defined; they are not
missing either. All that is remembered between batches is the last one or two frames.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import TYPE_CHECKING

import cv2
import torch
from torch import Tensor

from animate.errors import UserError
from animate.metrics.base import Definition, FrameMetric, FrameScores
from animate.metrics.functional import temporal as measure
from animate.metrics.functional.points import mean_where
from animate.metrics.points import pixel_places, prediction_points, target_points

if TYPE_CHECKING:
    from animate.types import Evaluated

_LAI = 'Lai et al., "Learning Blind Video Temporal Consistency" (2018), section 4'
_HMMR = 'Kanazawa et al., "Learning 3D Human Dynamics from Video" (2019)'
_DTSSD = 'as dtSSD of Erofeev et al., "Perceptually motivated benchmark for video matting" (2015), but L1'


class TemporalMetric(FrameMetric):
    """A frame metric that compares each frame with the ones just before it.

    Attributes:
        order: how many frames before it a frame needs.

    """

    order = 1

    def __init__(self) -> None:
        super().__init__()
        self._forget()

    def _forget(self) -> None:
        self._places: list[tuple[str, int]] = []
        self._values: tuple[Tensor, ...] = ()

    def reset(self) -> None:
        """Forget the sums and the frames before."""
        super().reset()
        self._forget()

    @abstractmethod
    def observe(self, frames: Evaluated) -> tuple[Tensor, ...]:
        """Take from N frames what has to be compared: tensors of N rows each."""

    @abstractmethod
    def compare(self, *runs: list[Tensor]) -> Tensor:
        """Score M frames: (M,) float64, NaN where too little was found.

        Each run belongs to a tensor of :meth:`observe` and lists its rows (M, ...) at the frames, at those
        before, and so on.
        """

    def per_frame(self, frames: Evaluated) -> FrameScores:
        """See :class:`FrameMetric`."""
        values = self.observe(frames)
        places = list(zip(frames["clip"], frames["frame"], strict=True))
        joined, known = self._recall(places, values)
        ends = torch.tensor([i for i in range(len(known)) if self._follows(known, i)], dtype=torch.long)
        score = torch.full((len(places),), torch.nan, dtype=torch.float64, device=frames["target"].device)
        missing = torch.zeros_like(score, dtype=torch.bool)
        if len(ends):
            runs = [[value[ends - back] for back in range(self.order + 1)] for value in joined]
            here = ends - (len(known) - len(places))
            score[here] = self.compare(*runs)
            missing[here] = score[here].isnan()
        return FrameScores(score, missing)

    def _recall(
        self, places: list[tuple[str, int]], values: tuple[Tensor, ...]
    ) -> tuple[tuple[Tensor, ...], list[tuple[str, int]]]:
        """Put the remembered frames before the new ones, and remember the last of them all."""
        # Pictures of another clip may have another size; then there is nothing to compare with.
        if [old.shape[1:] for old in self._values] != [new.shape[1:] for new in values]:
            self._forget()
        old = self._values or tuple(value[:0] for value in values)
        joined = tuple(torch.cat(pair) for pair in zip(old, values, strict=True))
        known = self._places + places
        # Copies, because a slice would keep the whole batch in memory.
        self._places, self._values = known[-self.order :], tuple(x[-self.order :].clone() for x in joined)
        return joined, known

    def _follows(self, places: list[tuple[str, int]], i: int) -> bool:
        """Whether the frames that frame i needs come just before it. No remembered frame has as many."""
        clip, frame = places[i]
        run = [(clip, frame - back) for back in range(self.order, -1, -1)]
        return i >= self.order and places[i - self.order : i + 1] == run


class Flicker(TemporalMetric):
    """Temporal difference error: changes from frame to frame that the target does not make."""

    @property
    def definition(self) -> Definition:
        """See :class:`FrameMetric`."""
        text = (
            "mean |(p_t - p_{t-1}) - (y_t - y_{t-1})| over channels, pixels and frames, p the prediction and "
            "y the target in [0, 1]; frames without the frame before are left out"
        )
        return Definition("flicker", text, "", 0, 2, False, _DTSSD)

    def observe(self, frames: Evaluated) -> tuple[Tensor, ...]:
        """See :class:`TemporalMetric`."""
        return frames["prediction"], frames["target"]

    def compare(self, *runs: list[Tensor]) -> Tensor:
        """See :class:`TemporalMetric`."""
        (prediction, before), (target, target_before) = runs
        return measure.flicker(prediction, before, target, target_before)


class WarpingError(TemporalMetric):
    """How well the prediction before, moved as the target moved, agrees with the present one.

    The target itself does not reach 0: light changes, and optical flow is not exact. A blurred prediction can
    lie below it, so this says something about predictions that are about as sharp.
    """

    @property
    def definition(self) -> Definition:
        """See :class:`FrameMetric`."""
        text = (
            "mean over visible pixels of the squared RGB distance, in [0, 1] per channel, of p_t and p_{t-1} "
            "pulled along the optical flow from y_t to y_{t-1}, p the prediction and y the target; visible: "
            "inside of the picture and |f + b|^2 <= 0.01 (|f|^2 + |b|^2) + 0.5 for the flows f there and b "
            "back; mean over frames; frames without the frame before are left out, frames of which nothing "
            "can be followed are missing"
        )
        backend = f"OpenCV {cv2.__version__} DIS optical flow, preset medium, 8-bit luma"
        return Definition("warping_error", text, "", 0, 3, False, _LAI, backend)

    def observe(self, frames: Evaluated) -> tuple[Tensor, ...]:
        """See :class:`TemporalMetric`."""
        return frames["prediction"], frames["target"]

    def compare(self, *runs: list[Tensor]) -> Tensor:
        """See :class:`TemporalMetric`."""
        (prediction, before), (target, target_before) = runs
        flow = measure.optical_flow(target, target_before)
        back = measure.optical_flow(target_before, target)
        return measure.warping_error(prediction, before, flow, measure.visible(flow, back))


class Jitter(TemporalMetric):
    """How unsteadily the points that a back-end finds in the prediction move.

    A still picture has 0, and a lively target has more: read it beside the target's own, or see
    :class:`AccelerationError`.

    Args:
        points: which set, like ``landmarks``.
        backend: name and version of what found them, for the definition.

    """

    order = 2

    def __init__(self, points: str, backend: str = "") -> None:
        super().__init__()
        self.needs = frozenset({f"points:{points}"})
        self.points = points
        self.backend = backend

    @property
    def definition(self) -> Definition:
        """See :class:`FrameMetric`."""
        text = (
            f"mean |x_t - 2 x_{{t-1}} + x_{{t-2}}| over the {self.points} points x, in pixels, that were "
            "found in all three predictions, then over frames; frames without the two before are left out, "
            "frames without such points are missing"
        )
        unit = "px/frame^2"
        return Definition(f"jitter_{self.points}", text, unit, 0, math.inf, False, _HMMR, self.backend)

    def observe(self, frames: Evaluated) -> tuple[Tensor, ...]:
        """See :class:`TemporalMetric`. Needs ``prediction_points``."""
        found = prediction_points(frames, self.points)
        return pixel_places(frames, found), found["found"]

    def compare(self, *runs: list[Tensor]) -> Tensor:
        """See :class:`TemporalMetric`."""
        places, found = runs
        return mean_where(measure.acceleration(*places).norm(dim=-1), torch.stack(found).all(0))


class KeypointJitter(Jitter):
    """How unsteadily the keypoints that the model itself finds in the true frames move: no labels needed."""

    reads_prediction = False

    def __init__(self) -> None:
        super().__init__("keypoints")
        self.needs = frozenset()

    @property
    def definition(self) -> Definition:
        """See :class:`FrameMetric`."""
        text = (
            "mean |x_t - 2 x_{t-1} + x_{t-2}| over the model's own keypoints x of the target, in pixels, "
            "then over frames; frames without the two before are left out"
        )
        return Definition("jitter_keypoints", text, "px/frame^2", 0, math.inf, False, _HMMR)

    def observe(self, frames: Evaluated) -> tuple[Tensor, ...]:
        """See :class:`TemporalMetric`. Needs ``target_keypoints``."""
        if "target_keypoints" not in frames:
            raise UserError("jitter_keypoints needs a model that finds keypoints; drop it")
        keypoints = frames["target_keypoints"]
        found = torch.ones(keypoints.shape[:2], dtype=torch.bool, device=keypoints.device)
        return pixel_places(frames, {"value": keypoints, "found": found}), found


class AccelerationError(Jitter):
    """How far the acceleration of the points in the prediction is from that in the target."""

    @property
    def definition(self) -> Definition:
        """See :class:`FrameMetric`."""
        text = (
            f"mean |a_t - b_t| over the {self.points} points found in three predictions and their targets, "
            "then over frames; a_t = x_t - 2 x_{t-1} + x_{t-2} of the prediction and b_t of the target, in "
            "pixels; frames without the two before are left out, frames without such points are missing"
        )
        name, unit = f"acceleration_error_{self.points}", "px/frame^2"
        return Definition(name, text, unit, 0, math.inf, False, _HMMR, self.backend)

    def observe(self, frames: Evaluated) -> tuple[Tensor, ...]:
        """See :class:`TemporalMetric`. Needs ``prediction_points`` and ``target_points``."""
        prediction, target = prediction_points(frames, self.points), target_points(frames, self.points)
        # Second differences are linear: that of the errors is the error of those of the points.
        error = pixel_places(frames, prediction) - pixel_places(frames, target)
        return error, prediction["found"] & target["found"]
