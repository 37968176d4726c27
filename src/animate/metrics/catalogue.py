"""Metrics by name: a closed table, for config files and the command line.

Everything else that a metric needs is handed in beside the names: back-ends that look at pictures, and
networks. A metric whose part is missing does not stop the others: it is listed, with the reason.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING, Protocol, TypeVar

from animate.errors import UserError
from animate.metrics import identity, perception, pixels, points, stability, temporal
from animate.metrics.annotation import Annotators, PointFinder, Recogniser, described
from animate.metrics.boxes import BOXES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from torch import Tensor

    from animate.metrics.base import VideoMetric
    from animate.metrics.perception import FeatureNetwork, PictureDistance

Made = TypeVar("Made")

POINT_SETS = ("landmarks", "pose", "puppet")
REGIONS = (*BOXES, "person", "face", "hole")


class LpipsMaker(Protocol):
    """Makes the network of LPIPS; raises ``UserError`` where its weights cannot be had."""

    def __call__(self, net: str, /) -> PictureDistance:
        """``net`` is ``alex`` or ``vgg``."""


@dataclass(frozen=True, slots=True)
class Networks:
    """The networks at hand; made when a metric is asked for that looks through them.

    Attributes:
        lpips: makes that of LPIPS.
        features: makes that of FID and KID; raises ``UserError`` where its weights cannot be had.
        keypoints: the model's own detector: from pictures (M, 3, H, W) to points (M, K, 2) in [-1, 1].

    """

    lpips: LpipsMaker | None = None
    features: Callable[[], FeatureNetwork] | None = None
    keypoints: Callable[[Tensor], Tensor] | None = None


@dataclass(frozen=True, slots=True)
class MetricSet:
    """What :func:`build` gives."""

    metrics: list[VideoMetric] = field(default_factory=list)
    unavailable: dict[str, str] = field(default_factory=dict)
    """Metrics that were asked for and cannot be had, each with the reason."""


class _Parts:
    """What metrics are made of; each property raises ``UserError`` where the part is missing."""

    def __init__(self, annotators: Annotators, networks: Networks) -> None:
        self.annotators, self.networks = annotators, networks

    def lpips(self, net: str) -> PictureDistance:
        make = self.networks.lpips
        return _weights(None if make is None else partial(make, net))

    @cached_property
    def features(self) -> FeatureNetwork:
        return _weights(self.networks.features)

    @property
    def keypoints(self) -> Callable[[Tensor], Tensor]:
        if self.networks.keypoints is None:
            raise UserError("there is no model whose keypoints could be found")
        return self.networks.keypoints

    @property
    def recogniser(self) -> Recogniser:
        if self.annotators.identity is None:
            raise UserError("no back-end for the identity was chosen")
        return self.annotators.identity

    def point_finder(self, name: str) -> PointFinder:
        if name not in self.annotators.points:
            raise UserError(f"no back-end for {name} was chosen")
        return self.annotators.points[name]


def _weights(make: Callable[[], Made] | None) -> Made:
    if make is None:
        raise UserError("weights not available: no networks were handed in")
    try:
        return make()
    except UserError as error:
        raise UserError(f"weights not available: {error}") from error


def _embedding(metric: Callable[[str], VideoMetric]) -> Callable[[_Parts], VideoMetric]:
    return lambda parts: metric(described(parts.recogniser))


def _recognition(metric: Callable[[float, str], VideoMetric]) -> Callable[[_Parts], VideoMetric]:
    return lambda parts: metric(parts.recogniser.threshold, described(parts.recogniser))


def _on_points(metric: Callable[[str, str], VideoMetric], name: str, parts: _Parts) -> VideoMetric:
    finder = parts.point_finder(name)
    return metric(name, described(finder, finder.layout))


def _in_lengths(metric: type[points.NormalisedMetric], name: str, parts: _Parts) -> VideoMetric:
    """Divide by the distance of the eyes where there are 68 points of a face, else by the figure's box."""
    finder = parts.point_finder(name)
    normaliser = points.INTER_OCULAR if finder.layout == "face68" else points.BOX_DIAGONAL
    return metric(name, normaliser, backend=described(finder, finder.layout))


def _perceived(name: str, region: str | None, parts: _Parts) -> VideoMetric:
    return perception.LPIPS(name, parts.lpips(name.removeprefix("lpips_")), region)


_PIXELS: Mapping[str, type[pixels.PixelMetric]] = {
    "l1": pixels.L1,
    "psnr": pixels.PSNR,
    "ssim": pixels.SSIM,
    "ms_ssim": pixels.MSSSIM,
    "one_minus_ms_ssim": pixels.OneMinusMSSSIM,
}
_POINTS: Mapping[str, Callable[[str, _Parts], VideoMetric]] = {
    "akd": partial(_on_points, points.AKD),
    "akd_coordinate": partial(_on_points, points.AKDCoordinate),
    "mkr": partial(_on_points, points.MKR),
    "nme": partial(_in_lengths, points.NME),
    "pck": partial(_in_lengths, points.PCK),
    "auc": partial(_in_lengths, points.AUC),
    "failure_rate": partial(_in_lengths, points.FailureRate),
    "jitter": partial(_on_points, temporal.Jitter),
    "acceleration_error": partial(_on_points, temporal.AccelerationError),
}
_OTHERS: Mapping[str, Callable[[_Parts], VideoMetric]] = {
    "lpips_alex": partial(_perceived, "lpips_alex", None),
    "lpips_vgg": partial(_perceived, "lpips_vgg", None),
    "fid": lambda parts: perception.FID(parts.features),
    "kid": lambda parts: perception.KID(parts.features),
    "csim": _embedding(identity.CSIM),
    "aed": _embedding(identity.AED),
    "aed_squared": _embedding(identity.AEDSquared),
    "verification": _recognition(identity.Verification),
    "identification": _recognition(identity.Identification),
    "flicker": lambda _: temporal.Flicker(),
    "warping_error": lambda _: temporal.WarpingError(),
    "keypoint_stability": lambda parts: stability.KeypointStability(parts.keypoints),
    "jitter_keypoints": lambda _: temporal.KeypointJitter(),
}
NAMES = (*_PIXELS, *_POINTS, *_OTHERS)
_MASKED = re.compile(rf"(\w+?)(?:_([1-4]))?(?:_(inside|outside)_({'|'.join(REGIONS)}))?")
_CUT = re.compile(rf"(lpips_alex|lpips_vgg)_inside_({'|'.join(REGIONS)})")


def build(
    names: Sequence[str],
    *,
    own: Sequence[VideoMetric] = (),
    annotators: Annotators | None = None,
    networks: Networks | None = None,
) -> MetricSet:
    """Make metrics.

    Args:
        names: of :data:`NAMES`. Pixel metrics take an ending like ``l1_inside_person`` or
            ``ssim_outside_face`` (:data:`REGIONS`), MS-SSIM also fewer scales, ``ms_ssim_3``; LPIPS those
            of insides, ``lpips_alex_inside_face_box``. A metric of points takes the name of the set,
            ``akd_landmarks`` (:data:`POINT_SETS`); without one it stands for all sets that there are
            back-ends for.
        own: metrics of yours, which follow the named ones.
        annotators: the back-ends at hand.
        networks: the networks at hand.

    Raises:
        UserError: a name is unknown.

    """
    parts = _Parts(annotators or Annotators(), networks or Networks())
    made, unavailable = [], {}
    for name, make in dict(pair for asked in names for pair in _makers(asked, parts)).items():
        try:
            made.append(make())
        except UserError as error:
            unavailable[name] = str(error)
    return MetricSet([*made, *own], unavailable)


def _makers(name: str, parts: _Parts) -> Iterator[tuple[str, Callable[[], VideoMetric]]]:
    """Give every column that a name stands for, with what makes it."""
    if name in _OTHERS:
        yield name, partial(_OTHERS[name], parts)
    elif pixel := _pixel(name):
        yield name, pixel
    elif cut := _CUT.fullmatch(name):
        yield name, partial(_perceived, cut[1], cut[2], parts)
    elif name in _POINTS:
        for points_of in [there for there in POINT_SETS if there in parts.annotators.points]:
            yield f"{name}_{points_of}", partial(_POINTS[name], points_of, parts)
        if not parts.annotators.points:
            yield name, partial(_POINTS[name], " or ".join(POINT_SETS), parts)
    else:
        stem, _, points_of = name.rpartition("_")
        if stem not in _POINTS or points_of not in POINT_SETS:
            raise UserError(
                f"metrics: there is no {name!r}; there are {', '.join(NAMES)}, and more with endings"
                " (l1_inside_person, akd_landmarks, ms_ssim_3)"
            )
        yield name, partial(_POINTS[stem], points_of, parts)


def _pixel(name: str) -> Callable[[], VideoMetric] | None:
    """Read the name of a pixel metric with its endings; ``None`` for any other name."""
    found = _MASKED.fullmatch(name)
    if not found or found[1] not in _PIXELS:
        return None
    metric, scales, place, region = _PIXELS[found[1]], found[2], found[3], found[4]
    if scales is None:
        return partial(metric, region, place != "outside")
    if not issubclass(metric, pixels.MSSSIM):
        return None
    return partial(metric, region, place != "outside", int(scales))
