"""The mathematics of the metrics: pure functions, a file for each family."""

from __future__ import annotations

from animate.metrics.functional.pixels import HIGHEST_PSNR, l1, psnr, ssim

__all__ = ["HIGHEST_PSNR", "l1", "psnr", "ssim"]
