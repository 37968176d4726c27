"""Distances between the points found in a prediction and those found in its target, per frame.

Points are ``(N, J, 2)`` pixel coordinates, ``found`` is ``(N, J)`` bool; every function returns ``(N,)``
float64, NaN for a frame in which it is not defined.
"""

from __future__ import annotations

import torch
from torch import Tensor

EYE_CORNERS = (36, 45)
"""The outer corners of the eyes among the 68 points of a face."""


def to_pixels(points: Tensor, size: tuple[int, int]) -> Tensor:
    """Turn ``(..., 2)`` points in [-1, 1] into float64 pixel coordinates of a (height, width) picture."""
    height, width = size
    scale = torch.tensor([width - 1, height - 1], dtype=torch.float64, device=points.device)
    return (points.double() + 1) / 2 * scale


def mean_where(values: Tensor, where: Tensor) -> Tensor:
    """Average ``(N, J)`` values over the points of a ``(N, J)`` bool mask; NaN where it holds none."""
    kept = torch.where(where, values, 0)
    return kept.sum(1, dtype=torch.float64) / where.sum(1)


def akd(prediction: Tensor, target: Tensor, found: Tensor) -> Tensor:
    """Average keypoint distance: the mean Euclidean distance over the points found in both, in pixels."""
    return mean_where(_distance(prediction, target), found)


def akd_coordinate(prediction: Tensor, target: Tensor, found: Tensor) -> Tensor:
    """Mean absolute difference over the two coordinates of the points found in both, in pixels.

    What the published evaluation of the First Order Motion Model computes under the name of AKD.
    """
    return mean_where((prediction - target).abs().mean(-1), found)


def mkr(found_in_prediction: Tensor, found_in_target: Tensor) -> Tensor:
    """Missing keypoint rate: the share of the target's points that were not found in the prediction."""
    return mean_where((~found_in_prediction).double(), found_in_target)


def inter_ocular(target: Tensor, found: Tensor) -> Tensor:
    """Distance in pixels of the eyes' outer corners among 68 face points; NaN unless both are found."""
    right, left = EYE_CORNERS
    length = _distance(target[:, right], target[:, left])
    return _positive(length, found[:, right] & found[:, left])


def box_diagonal(target: Tensor, found: Tensor) -> Tensor:
    """Diagonal in pixels of the upright box around the found points; NaN unless they differ."""
    inside = found.unsqueeze(-1)
    if target.shape[1] == 0:
        return torch.full((len(target),), torch.nan, dtype=torch.float64, device=target.device)
    low = torch.where(inside, target, torch.inf).amin(1)
    high = torch.where(inside, target, -torch.inf).amax(1)
    return _positive(_distance(high, low), found.any(1))


def nme(prediction: Tensor, target: Tensor, found: Tensor, length: Tensor) -> Tensor:
    """Normalised mean error: :func:`akd` over a length ``(N,)`` of the target's figure."""
    return akd(prediction, target, found) / length


def pck(
    prediction: Tensor,
    target: Tensor,
    found_in_prediction: Tensor,
    found_in_target: Tensor,
    radius: Tensor,
) -> Tensor:
    """Share of the target's points that the prediction has within a radius ``(N,)``; one not found is wrong.

    Percentage of correct keypoints: Yang and Ramanan, "Articulated human detection with flexible mixtures of
    parts" (2013).
    """
    right = found_in_prediction & (_distance(prediction, target) <= radius.unsqueeze(1))
    return torch.where(radius.isnan(), torch.nan, mean_where(right.double(), found_in_target))


def _distance(a: Tensor, b: Tensor) -> Tensor:
    return (a - b).double().square().sum(-1).sqrt()


def _positive(length: Tensor, defined: Tensor) -> Tensor:
    return torch.where(defined & (length > 0), length, torch.nan)
