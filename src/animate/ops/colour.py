"""Colour adjustments of RGB frames in [0, 1], in place and in few passes over memory.

They mean what torchvision's ``adjust_brightness``, ``adjust_contrast``, ``adjust_saturation`` and
``adjust_hue`` mean on float pictures, with a factor of its own for each frame.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

_GREY = (0.299, 0.587, 0.114)
"""Shares of R, G, B in a grey of equal lightness (ITU-R BT.601)."""
_TINY = 1e-12
"""Below any difference of two colours, and above zero."""


def brighten_(frames: Tensor, factors: Tensor) -> Tensor:
    """Multiply (N, 3, H, W) frames by (N,) factors of at least 0, and clamp."""
    return frames.mul_(_spread(factors)).clamp_(0, 1)


def contrast_(frames: Tensor, factors: Tensor) -> Tensor:
    """Move (N, 3, H, W) frames away from the mean of their grey by (N,) factors of at least 0, and clamp."""
    means = frames.mean((-2, -1)) @ frames.new_tensor(_GREY)
    return frames.mul_(_spread(factors)).add_(_spread((1 - factors) * means)).clamp_(0, 1)


def saturate_(frames: Tensor, factors: Tensor) -> Tensor:
    """Move each pixel of (N, 3, H, W) frames away from its grey by (N,) factors of at least 0, and clamp."""
    red, green, blue = frames.unbind(-3)
    grey = (red * _GREY[0]).add_(green, alpha=_GREY[1]).add_(blue, alpha=_GREY[2]).unsqueeze(-3)
    return frames.mul_(_spread(factors)).add_(grey.mul_(_spread(1 - factors))).clamp_(0, 1)


def turn_hue_(frames: Tensor, turns: Tensor) -> Tensor:
    """Turn the hue of (N, 3, H, W) frames, as HSV has it, by (N,) parts of the colour circle.

    Value and saturation stay: a turn keeps the largest and the smallest of the three channels. Hue is counted
    in sixths of the circle from cyan, at which red is smallest, so that it is odd in blue - green. Without
    comparisons, which cost more on a CPU than all of the arithmetic.
    """
    red, green, blue = frames.unbind(-3)
    low = torch.minimum(torch.minimum(red, green), blue)
    range_ = torch.maximum(torch.maximum(red, green), blue).sub_(low)
    hue = _sixths_from_cyan(red - low, blue - green, range_.clamp_min(_TINY))
    hue += (6 * turns)[:, None, None]
    hue -= (hue / 6).round_().mul_(6)
    torch.addcmul(low, range_, hue.abs().sub_(1).clamp_(0, 1), out=red)
    torch.addcmul(low, range_, (hue + 1).abs_().neg_().add_(2).clamp_(0, 1), out=green)
    torch.addcmul(low, range_, (hue - 1).abs_().neg_().add_(2).clamp_(0, 1), out=blue)
    return frames


def _sixths_from_cyan(red: Tensor, difference: Tensor, range_: Tensor) -> Tensor:
    """Hue in [-3, 3] of red above the smallest channel and blue - green; overwrites both.

    On the way from cyan over blue or green to red, first the difference grows to 1, then red does, then the
    difference falls to 0, each in units of the range: with only one of them in motion at a time the distance
    is ``|d| + r (3 - 2 |d|)``.
    """
    red.div_(range_)
    difference.div_(range_)
    size = difference.abs()
    slope = (size * -2).add_(3)
    return size.addcmul_(red, slope).copysign_(difference)


def _spread(values: Tensor) -> Tensor:
    return values[:, None, None, None]
