"""Distances of pictures in [0, 1]: each takes two ``(N, C, H, W)`` and returns ``(N,)`` float64.

With a mask ``(N, 1, H, W)`` in [0, 1] a pixel counts as much as its mask says, in all channels alike; where a
mask is empty nothing is defined, and the value is NaN. So it is for pictures that hold NaN.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from animate.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable

#: PSNR of two equal frames, which has no finite value: that of an error of one part in 100,000.
HIGHEST_PSNR = 100.0
#: The Gaussian window of SSIM: its sigma and its radius in pixels, 11 x 11 in all.
SIGMA, RADIUS = 1.5, 5
#: How much each scale of MS-SSIM counts, the finest first.
SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
_C1, _C2 = 0.01**2, 0.03**2


def l1(prediction: Tensor, target: Tensor, mask: Tensor | None = None) -> Tensor:
    """Mean absolute difference over channels and pixels, the "L1" of the First Order Motion Model's paper."""
    return _mean((prediction.double() - target.double()).abs(), mask).mean(1)


def psnr(prediction: Tensor, target: Tensor, mask: Tensor | None = None) -> Tensor:
    """Peak signal-to-noise ratio, 10 log10(1 / MSE) in dB, at most :data:`HIGHEST_PSNR`."""
    error = _mean((prediction.double() - target.double()).square(), mask).mean(1)
    return -10 * error.clamp(min=10 ** (-HIGHEST_PSNR / 10)).log10()


def ssim(prediction: Tensor, target: Tensor, mask: Tensor | None = None) -> Tensor:
    """Structural similarity with a Gaussian window, averaged over channels and over whole windows.

    Wang et al., "Image quality assessment: from error visibility to structural similarity" (2004), eq. 13,
    with their 11 x 11 window of sigma 1.5, K1 = 0.01 and K2 = 0.03. Windows that reach over the edge are left
    out. With a mask the windows are weighted by the mask at their centres.

    Returns:
        ``(N,)`` float64 in [-1, 1], 1 for equal pictures.

    Raises:
        UserError: the pictures are smaller than the window.

    """
    _check_size("SSIM", prediction, 2 * RADIUS + 1, "drop it")
    return _each(lambda x, y, weight: _similarity(x, y, weight)[1].mean(), prediction, target, mask)


def smallest_side(scales: int) -> int:
    """Return the shortest side in pixels on which the coarsest of so many scales still holds a window."""
    return (2 * RADIUS << (scales - 1)) + 1


def ms_ssim(
    prediction: Tensor, target: Tensor, mask: Tensor | None = None, *, scales: int = len(SCALE_WEIGHTS)
) -> Tensor:
    """Multi-scale structural similarity.

    Wang, Simoncelli and Bovik, "Multiscale structural similarity for image quality assessment" (2003), eq. 7:
    the contrast and structure term of every scale and the whole SSIM of the coarsest, each to the power of
    its weight, multiplied; by channel, then averaged over channels. From scale to scale pixels are averaged
    two by two (a last odd one alone), masks likewise. A negative mean of a scale counts as 0.

    Args:
        prediction: ``(N, C, H, W)`` in [0, 1].
        target: the same.
        mask: see this module.
        scales: how many of the five, the finest first; the weights of fewer are scaled to sum up to one.

    Returns:
        ``(N,)`` float64 in [0, 1], 1 for equal pictures.

    Raises:
        UserError: the pictures are smaller than the window at the coarsest scale (161 px for five).

    """
    most = max((n for n in range(1, scales) if smallest_side(n) <= min(prediction.shape[-2:])), default=0)
    advice = f"ask for ms_ssim_{most} or one_minus_ms_ssim_{most}, of {most} scales" if most else "drop it"
    _check_size(f"MS-SSIM with {scales} scales", prediction, smallest_side(scales), advice)
    weights = torch.tensor(SCALE_WEIGHTS[:scales], dtype=torch.float64, device=prediction.device)
    powers = (weights / weights.sum())[:, None]

    def score(x: Tensor, y: Tensor, weight: Tensor | None) -> Tensor:
        terms = []
        for scale in range(scales):
            contrast, whole = _similarity(x, y, weight)
            terms.append(contrast if scale < scales - 1 else whole)
            x, y, weight = _halve(x), _halve(y), None if weight is None else _halve(weight)
        return torch.stack(terms).clamp(min=0).pow(powers).prod(0).mean()

    return _each(score, prediction, target, mask)


def _check_size(name: str, pictures: Tensor, smallest: int, advice: str) -> None:
    height, width = pictures.shape[-2:]
    if min(height, width) < smallest:
        raise UserError(
            f"{name} needs pictures of at least {smallest} px a side, not {width}x{height}; {advice}"
        )


def _mean(values: Tensor, weight: Tensor | None) -> Tensor:
    """Mean over height and width in float64; NaN where the weights sum up to 0."""
    if weight is None:
        return values.mean((-2, -1), dtype=torch.float64)
    weighted = (values * weight).sum((-2, -1), dtype=torch.float64)
    return weighted / weight.sum((-2, -1), dtype=torch.float64)


def _each(
    score: Callable[[Tensor, Tensor, Tensor | None], Tensor],
    prediction: Tensor,
    target: Tensor,
    mask: Tensor | None,
) -> Tensor:
    """Score picture by picture: the maps of one stay in the processor's cache, those of a batch do not."""
    masks = [None] * len(prediction) if mask is None else mask.float()
    pairs = zip(prediction.float(), target.float(), masks, strict=True)
    scores = [score(x, y, weight) for x, y, weight in pairs]
    return torch.stack(scores) if scores else prediction.new_zeros(0, dtype=torch.float64)


def _similarity(x: Tensor, y: Tensor, weight: Tensor | None) -> tuple[Tensor, Tensor]:
    """Compare two pictures (C, H, W): the means of contrast and structure, and of the whole SSIM, each (C,).

    ``weight`` is (1, H, W).
    """
    x, y = x - 0.5, y - 0.5  # smaller squares: less is lost where variances are differences of them
    mean_x, mean_y, squares, product = _blur(torch.cat([x, y, x * x + y * y, x * y])).chunk(4)
    covariance = product - mean_x * mean_y
    variances = squares - mean_x * mean_x - mean_y * mean_y
    contrast = (2 * covariance + _C2) / (variances + _C2)
    mean_x, mean_y = mean_x + 0.5, mean_y + 0.5
    luminance = (2 * mean_x * mean_y + _C1) / (mean_x * mean_x + mean_y * mean_y + _C1)
    centres = None if weight is None else weight[:, RADIUS:-RADIUS, RADIUS:-RADIUS]
    return _mean(contrast, centres), _mean(luminance * contrast, centres)


def _blur(maps: Tensor) -> Tensor:
    """Gaussian mean around every pixel of (C, H, W) that has a whole window; rows, then columns."""
    offsets = torch.arange(-RADIUS, RADIUS + 1, device=maps.device, dtype=maps.dtype)
    window = torch.exp(-(offsets**2) / (2 * SIGMA**2))
    window = (window / window.sum()).expand(len(maps), 1, 1, -1)
    rows = F.conv2d(maps[None], window, groups=len(maps))
    return F.conv2d(rows, window.transpose(2, 3), groups=len(maps))[0]


def _halve(picture: Tensor) -> Tensor:
    return F.avg_pool2d(picture[None], 2, ceil_mode=True)[0]
