"""How good a prediction is: pure functions per frame, and torchmetrics classes that average them."""

from __future__ import annotations

from animate.metrics.functional import l1, psnr, ssim
from animate.metrics.reconstruction import L1, PSNR, SSIM, FrameMean

__all__ = ["L1", "PSNR", "SSIM", "FrameMean", "l1", "psnr", "ssim"]
