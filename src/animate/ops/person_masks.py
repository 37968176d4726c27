"""From a raw matte to two masks: what is kept as the person, and what is cut out and filled.

The variants V1 to V3 are those that a user of Impersonator tried with mattes of U²-Net. There they changed
what is kept of the source picture; here each also states the hole that goes with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from animate.ops.morphology import (
    dilate,
    dilate_each,
    erode,
    extent,
    feathered,
    fill_holes,
    hysteresis,
    largest_component,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ON = 0.5
FEATURE_WINDOW = 3
"""Of the erosions in V2 and V2.1, as published for features of the figure."""
LOW = 0.1
"""V2.1's threshold."""
CROP_MARGIN = 10
"""V3's, in pixels."""
SURE, MAYBE = 0.6, 0.15
GROWTH = 0.02
"""By how much the hole is larger than the figure, as a share of the person's height."""
LEAST_GROWTH = 2
"""Pixels."""


class Masks(NamedTuple):
    """What a variant makes of a matte; (B, 1, H, W) each."""

    person_mask: Tensor
    """In [0, 1]: how much of a pixel is shown as the person."""
    hole_mask: Tensor
    """0 or 1: what is to be filled."""


def v1(matte: Tensor) -> Masks:
    """Take the raw matte; the hole is where it is above one half."""
    return Masks(matte, (matte > ON).to(matte.dtype))


def v2(matte: Tensor) -> Masks:
    """Take 1 - the eroded matte for background: the hole is too small, and a dark rim of person stays."""
    eroded = erode(matte, FEATURE_WINDOW)
    return Masks(eroded, (eroded > ON).to(matte.dtype))


def v2_1(matte: Tensor) -> Masks:
    """Take what is above 0.1, eroded."""
    eroded = erode((matte > LOW).to(matte.dtype), FEATURE_WINDOW)
    return Masks(eroded, eroded)


def v3(matte: Tensor) -> Masks:
    """As V1, of the largest figure alone: that is whom the crop is around (:func:`crop_square`)."""
    figure = largest_component((matte > ON).to(matte.dtype))
    return Masks(matte * dilate(figure, FEATURE_WINDOW), figure)


def own(matte: Tensor) -> Masks:
    """Find the figure by hysteresis, with its gaps filled, and cut out more than it: our own.

    The hole is the figure grown by 2 % of the person's height, at least 2 pixels, because a rim of person
    that is left is worse than a rim of background that is lost.
    """
    figure = fill_holes(hysteresis(matte, MAYBE, SURE))
    box = extent(figure)
    radii = ((box[:, 3] - box[:, 1]) * GROWTH).round().long().clamp_min(LEAST_GROWTH)
    return Masks(matte * figure, dilate_each(figure, radii))


VARIANTS: Mapping[str, Callable[[Tensor], Masks]] = {
    "own": own,
    "v1": v1,
    "v2": v2,
    "v2.1": v2_1,
    "v3": v3,
}
"""By the name that an option takes."""


def crop_square(matte: Tensor, margin: int = CROP_MARGIN) -> Tensor:
    """Place V3's square around the largest figure of each matte.

    Args:
        matte: (B, 1, H, W) in [0, 1].
        margin: pixels around the figure.

    Returns:
        (B, 3) int64: left, top and side. The square has the figure in its middle and may reach beyond the
        picture; the side is 0 where there is no figure.

    """
    box = extent(largest_component((matte > ON).to(matte.dtype)))
    size = box[:, 2:] - box[:, :2]
    side = (size.amax(1) + 2 * margin) * (size.amax(1) > 0)
    corner = torch.div(box[:, :2] + box[:, 2:] - side[:, None], 2, rounding_mode="floor")
    return torch.cat([corner, side[:, None]], dim=1)


def feather_composite(made: Tensor, pictures: Tensor, hole_mask: Tensor, radius: int) -> Tensor:
    """Put what was made into the hole, fading into the picture within ``2 radius`` pixels around it."""
    return torch.lerp(pictures, made, feathered(hole_mask, radius))
