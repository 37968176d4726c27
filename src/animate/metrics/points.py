"""Where the points of a figure are: landmarks of faces, joints of bodies and of puppets.

All of them read ``prediction_points`` and ``target_points`` of :class:`animate.types.Evaluated`, which
back-ends fill; ``points`` names the set, like ``landmarks``, ``pose`` or ``puppet``, and ends the name of the
column, because distances between different sets of points are not comparable. Lengths are in pixels of the
pictures that are scored.

A frame whose target shows no figure is never defined. Where the prediction shows none, distances are not
defined, and the frame is counted as missing; rates and shares count it as wrong, so that a model cannot gain
by drawing what no back-end recognises.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from animate.errors import UserError
from animate.metrics.base import Definition, FrameMetric, FrameScores
from animate.metrics.functional import points as measure

if TYPE_CHECKING:
    from collections.abc import Callable

    from animate.types import Evaluated, Points

_FOMM = 'Siarohin et al., "First Order Motion Model for Image Animation" (2019), section 4'
_FOMM_CODE = "pose-evaluation, the published evaluation code of the First Order Motion Model"
_300W = 'Sagonas et al., "300 Faces In-the-Wild Challenge" (2016)'


@dataclass(frozen=True, slots=True)
class Normaliser:
    """The length of a target's figure by which errors are divided."""

    text: str
    """What it is, for definitions."""
    length: Callable[[Tensor, Tensor], Tensor]
    """From the target's points (N, J, 2) in pixels and which were found (N, J) to (N,), NaN where unknown."""


INTER_OCULAR = Normaliser(
    "distance of the target's outer eye corners (points 36 and 45 of 68)", measure.inter_ocular
)
BOX_DIAGONAL = Normaliser("diagonal of the box around the target's found points", measure.box_diagonal)


class Pair(NamedTuple):
    """The points of N predictions and of their targets."""

    prediction: Tensor
    """(N, J, 2) float64 in pixels."""
    target: Tensor
    """(N, J, 2) float64 in pixels."""
    in_prediction: Tensor
    """(N, J) bool."""
    in_target: Tensor
    """(N, J) bool."""

    @property
    def in_both(self) -> Tensor:
        """(N, J) bool."""
        return self.in_prediction & self.in_target


def prediction_points(frames: Evaluated, name: str) -> Points:
    """Give the points of this name that were found in the predictions.

    Raises:
        UserError: no back-end looked for them.

    """
    return _named(frames.get("prediction_points", {}), name, "prediction")


def target_points(frames: Evaluated, name: str) -> Points:
    """Give the points of this name that were found in the targets; raises as :func:`prediction_points`."""
    return _named(frames.get("target_points", {}), name, "target")


def _named(found: dict[str, Points], name: str, of: str) -> Points:
    if name not in found:
        there = ", ".join(sorted(found)) or "none"
        raise UserError(f"no points {name!r} of the {of} (there are: {there}); choose a back-end for them")
    return found[name]


def pixel_places(frames: Evaluated, found: Points) -> Tensor:
    """Give (N, J, 2) float64 coordinates in pixels of the pictures that are scored."""
    size = (frames["target"].shape[-2], frames["target"].shape[-1])
    return measure.to_pixels(found["value"], size)


class PointMetric(FrameMetric):
    """A frame metric over two sets of points; a frame without a value is counted as missing.

    Args:
        points: which set, like ``landmarks``.
        backend: name and version of what found them, for the definition.

    """

    def __init__(self, points: str, backend: str = "") -> None:
        super().__init__()
        self.needs = frozenset({f"points:{points}"})
        self.points = points
        self.backend = backend

    @abstractmethod
    def score(self, pair: Pair) -> Tensor:
        """Score N frames: (N,) float64, NaN where too little was found."""

    def per_frame(self, frames: Evaluated) -> FrameScores:
        """See :class:`FrameMetric`. Needs ``prediction_points`` and ``target_points``."""
        prediction, target = prediction_points(frames, self.points), target_points(frames, self.points)
        places, true_places = pixel_places(frames, prediction), pixel_places(frames, target)
        value = self.score(Pair(places, true_places, prediction["found"], target["found"]))
        return FrameScores(value, value.isnan())


class AKD(PointMetric):
    """Average keypoint distance as worded in papers: Euclidean."""

    @property
    def definition(self) -> Definition:
        """See :class:`FrameMetric`."""
        text = (
            f"mean over frames of the mean Euclidean distance between {self.points} points found in both the "
            "prediction and the target, in pixels of the pictures scored; frames without any are missing"
        )
        return Definition(f"akd_{self.points}", text, "px", 0, math.inf, False, _FOMM, self.backend)

    def score(self, pair: Pair) -> Tensor:
        """See :class:`PointMetric`."""
        return measure.akd(pair.prediction, pair.target, pair.in_both)


class AKDCoordinate(PointMetric):
    """Average keypoint distance as the reference codes it: over coordinates, not Euclidean.

    The reference skips frames without a figure in silence; here they are counted as missing.
    """

    @property
    def definition(self) -> Definition:
        """See :class:`FrameMetric`."""
        text = (
            f"mean over frames of the mean absolute difference of the x and y of {self.points} points found "
            "in both the prediction and the target, in pixels of the pictures scored; frames without any are "
            "skipped, and counted as missing"
        )
        name = f"akd_coordinate_{self.points}"
        return Definition(name, text, "px", 0, math.inf, False, _FOMM_CODE, self.backend)

    def score(self, pair: Pair) -> Tensor:
        """See :class:`PointMetric`."""
        return measure.akd_coordinate(pair.prediction, pair.target, pair.in_both)


class MKR(PointMetric):
    """Missing keypoint rate."""

    @property
    def definition(self) -> Definition:
        """See :class:`FrameMetric`."""
        text = (
            f"{self.points} points found in the target but not in the prediction / found in the target, mean "
            "over frames whose target has at least one; the others are missing"
        )
        return Definition(f"mkr_{self.points}", text, "", 0, 1, False, _FOMM, self.backend)

    def score(self, pair: Pair) -> Tensor:
        """See :class:`PointMetric`."""
        return measure.mkr(pair.in_prediction, pair.in_target)


class NormalisedMetric(PointMetric):
    """A point metric that measures errors in lengths of the target's figure.

    Args:
        points: which set.
        normaliser: that length.
        backend: name and version of what found the points.

    """

    def __init__(self, points: str, normaliser: Normaliser = BOX_DIAGONAL, backend: str = "") -> None:
        super().__init__(points, backend)
        self.normaliser = normaliser

    def length(self, pair: Pair) -> Tensor:
        """Measure the target's figure: (N,) in pixels, NaN where too little of it was found."""
        return self.normaliser.length(pair.target, pair.in_target)

    def nme(self, pair: Pair) -> Tensor:
        """Normalised mean error over the points found in both: (N,), NaN where there are none."""
        return measure.nme(pair.prediction, pair.target, pair.in_both, self.length(pair))

    def nme_or_infinite(self, pair: Pair) -> Tensor:
        """Like :meth:`nme`, but infinite where the prediction shows none of the target's points."""
        lost = ~pair.in_both.any(1) & ~self.length(pair).isnan()
        return torch.where(lost, torch.inf, self.nme(pair))


class NME(NormalisedMetric):
    """Normalised mean error."""

    @property
    def definition(self) -> Definition:
        """See :class:`FrameMetric`."""
        text = (
            f"mean over frames of the mean Euclidean distance between {self.points} points found in both / "
            f"{self.normaliser.text}; frames without any are missing"
        )
        return Definition(f"nme_{self.points}", text, "", 0, math.inf, False, _300W, self.backend)

    def score(self, pair: Pair) -> Tensor:
        """See :class:`PointMetric`."""
        return self.nme(pair)


class PCK(NormalisedMetric):
    """Percentage of correct keypoints, as a share.

    Args:
        points: which set.
        normaliser: a length of the target's figure.
        alpha: the share of that length up to which a point counts as correct.
        backend: name and version of what found the points.

    """

    def __init__(
        self, points: str, normaliser: Normaliser = BOX_DIAGONAL, alpha: float = 0.1, backend: str = ""
    ) -> None:
        super().__init__(points, normaliser, backend)
        self.alpha = alpha

    @property
    def definition(self) -> Definition:
        """See :class:`FrameMetric`."""
        text = (
            f"share of the {self.points} points found in the target that the prediction has within "
            f"{self.alpha:g} x {self.normaliser.text}, one not found being wrong; mean over frames; frames "
            "whose target shows no figure are missing"
        )
        source = 'Yang and Ramanan, "Articulated human detection with flexible mixtures of parts" (2013)'
        return Definition(f"pck_{self.points}", text, "", 0, 1, True, source, self.backend)

    def score(self, pair: Pair) -> Tensor:
        """See :class:`PointMetric`."""
        radius = self.alpha * self.length(pair)
        return measure.pck(pair.prediction, pair.target, pair.in_prediction, pair.in_target, radius)


class ThresholdMetric(NormalisedMetric):
    """A metric over the distribution of the frames' normalised mean errors.

    Args:
        points: which set.
        normaliser: a length of the target's figure.
        threshold: the normalised mean error from which a frame counts for nothing.
        backend: name and version of what found the points.

    """

    def __init__(
        self, points: str, normaliser: Normaliser = BOX_DIAGONAL, threshold: float = 0.08, backend: str = ""
    ) -> None:
        super().__init__(points, normaliser, backend)
        self.threshold = threshold


class AUC(ThresholdMetric):
    """Area under the curve of the share of frames with at most an error, over errors up to the threshold.

    The integral of a cumulative distribution up to t is the mean of ``max(0, t - e)``: exact, and a mean over
    frames.
    """

    @property
    def definition(self) -> Definition:
        """See :class:`FrameMetric`."""
        text = (
            f"area under the cumulative error curve of {self.points} up to e = {self.threshold:g}, over its "
            f"largest value: mean over frames of max(0, 1 - e/{self.threshold:g}), e the mean Euclidean "
            f"error / {self.normaliser.text}, infinite where the prediction shows no figure; frames whose "
            "target shows none are missing"
        )
        return Definition(f"auc_{self.points}", text, "", 0, 1, True, _300W, self.backend)

    def score(self, pair: Pair) -> Tensor:
        """See :class:`PointMetric`."""
        return (1 - self.nme_or_infinite(pair) / self.threshold).clamp(min=0)


class FailureRate(ThresholdMetric):
    """Share of frames whose figure is lost or too far off."""

    @property
    def definition(self) -> Definition:
        """See :class:`FrameMetric`."""
        text = (
            "share of frames in which the prediction shows no figure or the mean Euclidean error of "
            f"{self.points} / {self.normaliser.text} is above {self.threshold:g}; frames whose target shows "
            "no figure are missing"
        )
        return Definition(f"failure_rate_{self.points}", text, "", 0, 1, False, _300W, self.backend)

    def score(self, pair: Pair) -> Tensor:
        """See :class:`PointMetric`."""
        error = self.nme_or_infinite(pair)
        return torch.where(error.isnan(), torch.nan, (error > self.threshold).double())
