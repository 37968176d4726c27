"""Per-frame distances of pictures in [0, 1]: each takes two ``(N, C, H, W)`` and returns ``(N,)`` float64."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from animate.errors import UserError

#: PSNR of two equal frames, which has no finite value: that of an error of one part in 100,000.
HIGHEST_PSNR = 100.0


def l1(prediction: Tensor, target: Tensor) -> Tensor:
    """Mean absolute difference over channels and pixels, the "L1" of the First Order Motion Model's paper."""
    return (prediction.double() - target.double()).abs().flatten(1).mean(1)


def psnr(prediction: Tensor, target: Tensor) -> Tensor:
    """Peak signal-to-noise ratio, 10 log10(1 / MSE) in dB, at most :data:`HIGHEST_PSNR`."""
    error = (prediction.double() - target.double()).square().flatten(1).mean(1)
    return -10 * error.clamp(min=10 ** (-HIGHEST_PSNR / 10)).log10()


def ssim(prediction: Tensor, target: Tensor, sigma: float = 1.5, radius: int = 5) -> Tensor:
    """Structural similarity with a Gaussian window, averaged over channels and over whole windows.

    Wang et al., "Image quality assessment: from error visibility to structural similarity" (2004), eq. 13,
    with their 11 x 11 window of sigma 1.5, K1 = 0.01 and K2 = 0.03. Windows that reach over the edge are left
    out.

    Args:
        prediction: ``(N, C, H, W)`` in [0, 1].
        target: the same.
        sigma: of the window, in pixels.
        radius: of the window, in pixels; its side is ``2 * radius + 1``.

    Returns:
        ``(N,)`` float64 in [-1, 1], 1 for equal pictures.

    Raises:
        UserError: the pictures are smaller than the window.

    """
    if min(prediction.shape[-2:]) < 2 * radius + 1:
        height, width = prediction.shape[-2:]
        raise UserError(
            f"SSIM needs pictures of at least {2 * radius + 1} px a side, not {width}x{height}; drop it"
        )
    x, y = prediction.float(), target.float()
    mean_x, mean_y = _blur(x, sigma, radius), _blur(y, sigma, radius)
    variance_x = _blur(x * x, sigma, radius) - mean_x**2
    variance_y = _blur(y * y, sigma, radius) - mean_y**2
    covariance = _blur(x * y, sigma, radius) - mean_x * mean_y
    c1, c2 = 0.01**2, 0.03**2
    similarity = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    similarity = similarity / ((mean_x**2 + mean_y**2 + c1) * (variance_x + variance_y + c2))
    return similarity.double().flatten(1).mean(1)


def _blur(pictures: Tensor, sigma: float, radius: int) -> Tensor:
    """Gaussian mean around every pixel that has a whole window; separable."""
    offsets = torch.arange(-radius, radius + 1, device=pictures.device, dtype=pictures.dtype)
    window = torch.exp(-(offsets**2) / (2 * sigma**2))
    window = (window / window.sum()).expand(pictures.shape[1], 1, 1, -1)
    rows = F.conv2d(pictures, window, groups=pictures.shape[1])
    return F.conv2d(rows, window.transpose(2, 3), groups=pictures.shape[1])
