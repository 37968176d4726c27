"""How far predictions are from their targets, pixel by pixel and window by window."""

from __future__ import annotations

from typing import TYPE_CHECKING

from animate.errors import UserError
from animate.metrics.base import Definition, FrameMetric, FrameScores
from animate.metrics.functional import pixels as measure

if TYPE_CHECKING:
    from torch import Tensor

    from animate.types import Evaluated

_WINDOW = "Gaussian window 11 x 11, sigma 1.5, K1 0.01, K2 0.03, whole windows only"
_FOMM = 'Siarohin et al., "First Order Motion Model for Image Animation" (2019), section 4'
_WANG = 'Wang et al., "Image quality assessment: from error visibility to structural similarity" (2004)'
_MULTI = 'Wang et al., "Multiscale structural similarity for image quality assessment" (2003)'


class PixelMetric(FrameMetric):
    """A comparison of a prediction with its target, over the whole picture or a region of the target.

    Args:
        region: a name in ``masks`` of :class:`animate.types.Evaluated`, like ``person``, ``face_box`` or
            ``hole``; the name of the column tells it. A frame without the region (an empty mask) is counted
            as missing.
        inside: compare in the region, or outside of it.

    """

    def __init__(self, region: str | None = None, inside: bool = True) -> None:
        super().__init__()
        self.region, self.inside = region, inside
        self.needs = frozenset() if region is None else frozenset({f"mask:{region}"})

    def per_frame(self, frames: Evaluated) -> FrameScores:
        """See :class:`FrameMetric`. Needs ``masks`` where there is a region."""
        value = self.score(frames["prediction"], frames["target"], self._mask(frames))
        return FrameScores(value, None if self.region is None else value.isnan())

    def score(self, prediction: Tensor, target: Tensor, mask: Tensor | None) -> Tensor:
        """Compare N pictures: (N,) float64, NaN where the mask is empty."""
        raise NotImplementedError

    def _mask(self, frames: Evaluated) -> Tensor | None:
        if self.region is None:
            return None
        mask = region_of(frames, self.region)
        return mask if self.inside else 1 - mask

    def _name(self, stem: str) -> str:
        return stem if self.region is None else f"{stem}_{self._place}_{self.region}"

    def _where(self, how: str = "weighted by the mask") -> str:
        return "" if self.region is None else f", {self._place} of the target's {self.region} ({how})"

    @property
    def _place(self) -> str:
        return "inside" if self.inside else "outside"


def region_of(frames: Evaluated, region: str) -> Tensor:
    """Return the mask of a region of the targets, (N, 1, H, W).

    Raises:
        UserError: there is none.

    """
    masks = frames.get("masks", {})
    if region not in masks:
        raise UserError(f"no mask of the target's {region}; choose a back-end for it")
    return masks[region]


class L1(PixelMetric):
    """Mean absolute difference. See :func:`animate.metrics.functional.pixels.l1`."""

    @property
    def definition(self) -> Definition:
        """See :class:`VideoMetric`."""
        text = f"mean absolute difference over pixels and channels, pictures in [0, 1]{self._where()}"
        return Definition(self._name("l1"), text, "", 0, 1, False, _FOMM)

    def score(self, prediction: Tensor, target: Tensor, mask: Tensor | None) -> Tensor:
        """See :class:`PixelMetric`."""
        return measure.l1(prediction, target, mask)


class PSNR(PixelMetric):
    """Peak signal-to-noise ratio. See :func:`animate.metrics.functional.pixels.psnr`."""

    @property
    def definition(self) -> Definition:
        """See :class:`VideoMetric`."""
        text = "10 log10(1 / MSE) over pixels and channels, data range 1, at most 100 dB; mean over frames"
        source = (
            'Huynh-Thu and Ghanbari, "Scope of validity of PSNR in image/video quality assessment" (2008)'
        )
        high = measure.HIGHEST_PSNR
        return Definition(self._name("psnr"), text + self._where(), "dB", 0, high, True, source)

    def score(self, prediction: Tensor, target: Tensor, mask: Tensor | None) -> Tensor:
        """See :class:`PixelMetric`."""
        return measure.psnr(prediction, target, mask)


class SSIM(PixelMetric):
    """Structural similarity. See :func:`animate.metrics.functional.pixels.ssim`."""

    @property
    def definition(self) -> Definition:
        """See :class:`VideoMetric`."""
        text = f"SSIM per RGB channel, data range 1, {_WINDOW}{self._where('mask at window centres')}"
        return Definition(self._name("ssim"), text, "", -1, 1, True, _WANG)

    def score(self, prediction: Tensor, target: Tensor, mask: Tensor | None) -> Tensor:
        """See :class:`PixelMetric`."""
        return measure.ssim(prediction, target, mask)


class MSSSIM(PixelMetric):
    """Multi-scale structural similarity. See :func:`animate.metrics.functional.pixels.ms_ssim`.

    Args:
        region: see :class:`PixelMetric`.
        inside: see :class:`PixelMetric`.
        scales: how many of the five scales, the finest first; fewer than five end the column's name.

    """

    stem = "ms_ssim"

    def __init__(self, region: str | None = None, inside: bool = True, scales: int = 5) -> None:
        if not 1 <= scales <= len(measure.SCALE_WEIGHTS):
            raise UserError(f"ms_ssim: {scales} scales; there are 1 to {len(measure.SCALE_WEIGHTS)}")
        super().__init__(region, inside)
        self.scales = scales

    @property
    def definition(self) -> Definition:
        """See :class:`VideoMetric`."""
        text = f"{self._formula()}{self._where('mask at window centres of each scale')}"
        return Definition(self._full_name(), text, "", 0, 1, True, _MULTI)

    def _full_name(self) -> str:
        fewer = self.scales < len(measure.SCALE_WEIGHTS)
        return self._name(f"{self.stem}_{self.scales}" if fewer else self.stem)

    def _formula(self) -> str:
        weights = ", ".join(f"{weight:g}" for weight in measure.SCALE_WEIGHTS[: self.scales])
        return f"MS-SSIM per RGB channel, {self.scales} scales of weights {weights} over their sum, {_WINDOW}"

    def score(self, prediction: Tensor, target: Tensor, mask: Tensor | None) -> Tensor:
        """See :class:`PixelMetric`."""
        return measure.ms_ssim(prediction, target, mask, scales=self.scales)


class OneMinusMSSSIM(MSSSIM):
    """1 - MS-SSIM: what stands in for a perceptual distance where no network's weights can be had."""

    stem = "one_minus_ms_ssim"

    @property
    def definition(self) -> Definition:
        """See :class:`VideoMetric`."""
        text = f"1 - ({self._formula()}){self._where('mask at window centres of each scale')}"
        return Definition(self._full_name(), text, "", 0, 1, False, _MULTI)

    def score(self, prediction: Tensor, target: Tensor, mask: Tensor | None) -> Tensor:
        """See :class:`PixelMetric`."""
        return 1 - super().score(prediction, target, mask)
