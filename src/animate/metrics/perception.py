"""Perceptual metrics: LPIPS per frame, FID and KID over sets of frames.

The networks are handed in and stay outside of the metric's modules: no state dict and no checkpoint carries
them. ``animate.checkpoints.feature_networks`` builds those that results are published with.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from animate.metrics.base import Definition, FrameMetric, FrameScores, VideoMetric
from animate.metrics.functional.perception import frechet_distance, kernel_distance, mean_and_covariance
from animate.metrics.pixels import region_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from animate.types import Evaluated

SMALLEST_CUT = 64
"""The shorter side that a part of a picture has at least when LPIPS looks at it, in pixels."""
EMPTY = torch.iinfo(torch.int64).max
"""The key of a place in a reservoir that holds no frame."""


class PictureDistance(Protocol):
    """Says how unlike two pictures look; computes on the device that the pictures are on."""

    @property
    def backend(self) -> str:
        """Its name and version, for :class:`Definition`."""

    def __call__(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Compare two (N, 3, H, W) in [0, 1]; (N,)."""


class FeatureNetwork(Protocol):
    """Turns pictures into vectors; computes on the device that the pictures are on."""

    @property
    def backend(self) -> str:
        """Its name and version, for :class:`Definition`."""

    @property
    def size(self) -> int:
        """The length D of a vector."""

    def __call__(self, pictures: Tensor) -> Tensor:
        """Describe (N, 3, H, W) in [0, 1] by (N, D)."""


class LPIPS(FrameMetric):
    """Mean over frames of the learned perceptual distance of Zhang et al. (2018).

    Args:
        name: of the column, ``lpips_alex`` or ``lpips_vgg``.
        distance: the network with its linear heads.
        region: a region of the target, as in :class:`animate.metrics.pixels.PixelMetric`: the smallest
            rectangle that holds it is cut out of both pictures, and what is shorter than
            :data:`SMALLEST_CUT` on a side is enlarged. The network sees nothing else. The name of the column
            tells it.

    """

    def __init__(self, name: str, distance: PictureDistance, region: str | None = None) -> None:
        super().__init__()
        self._name = name if region is None else f"{name}_inside_{region}"
        self.region = region
        self.needs = frozenset() if region is None else frozenset({f"mask:{region}"})
        self._distance = (distance,)  # in a tuple: torch would register a bare module and save its weights

    @property
    def definition(self) -> Definition:
        """See :class:`VideoMetric`."""
        return Definition(
            name=self._name,
            text="LPIPS 0.1: squared differences of unit-length features, weighted by the published linear "
            f"heads, averaged over positions and summed over layers; mean over frames{self._where()}",
            unit="",
            low=0.0,
            high=float("inf"),
            higher_is_better=False,
            source="Zhang et al., The Unreasonable Effectiveness of Deep Features (2018)",
            backend=self._distance[0].backend,
        )

    def per_frame(self, frames: Evaluated) -> FrameScores:
        """See :class:`FrameMetric`."""
        if self.region is None:
            return FrameScores(self._distance[0](frames["prediction"], frames["target"]).double())
        pairs = torch.stack([frames["prediction"], frames["target"]], dim=1)
        masks = region_of(frames, self.region)
        scores = [self._inside(*both) for both in zip(pairs, masks, strict=True)]
        value = torch.stack(scores) if scores else pairs.new_zeros(0, dtype=torch.float64)
        return FrameScores(value, value.isnan())

    def _inside(self, pair: Tensor, mask: Tensor) -> Tensor:
        """Compare a prediction and its target, (2, 3, H, W), in the rectangle around a mask (1, H, W)."""
        rows, columns = (mask[0].amax(axis).nonzero().flatten() for axis in (1, 0))
        if not len(rows):
            return pair.new_full((), torch.nan, dtype=torch.float64)
        cut = pair[..., rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        enlarged = max(1.0, SMALLEST_CUT / min(cut.shape[-2:]))
        size = [round(enlarged * side) for side in cut.shape[-2:]]
        cut = F.interpolate(cut, size, mode="bilinear", align_corners=False) if enlarged > 1 else cut
        return self._distance[0](cut[:1], cut[1:]).double()[0]

    def _where(self) -> str:
        cut = f"the rectangle around the target's {self.region}, enlarged to {SMALLEST_CUT} px where shorter"
        return "" if self.region is None else f", of {cut}"


class FID(VideoMetric):
    """Fréchet distance of the Gaussians fitted to the features of all predicted and of all target frames.

    The state is a count, a sum and a sum of outer products on each side, in float64: memory is flat, and
    processes add up. NaN below 2 frames. With fewer frames than features the covariances lack rank: the
    number is defined, but grows as frames get fewer, so compare only over the same frames.

    Args:
        network: the features.

    """

    count: Tensor
    prediction_total: Tensor
    prediction_products: Tensor
    target_total: Tensor
    target_products: Tensor

    def __init__(self, network: FeatureNetwork) -> None:
        super().__init__()
        self._network = (network,)
        size = network.size
        self.add_state("count", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")
        for side in ("prediction", "target"):
            self.add_state(f"{side}_total", torch.zeros(size, dtype=torch.float64), dist_reduce_fx="sum")
            products = torch.zeros(size, size, dtype=torch.float64)
            self.add_state(f"{side}_products", products, dist_reduce_fx="sum")

    @property
    def definition(self) -> Definition:
        """See :class:`VideoMetric`."""
        return Definition(
            name="fid",
            text="|m_p - m_t|^2 + tr(C_p + C_t - 2 (C_p C_t)^(1/2)) over the features of all frames, "
            "covariances divided by n - 1; biased upwards for few frames",
            unit="",
            low=0.0,
            high=float("inf"),
            higher_is_better=False,
            source="Heusel et al., GANs Trained by a Two Time-Scale Update Rule (2017)",
            backend=self._network[0].backend,
        )

    @torch.no_grad()
    def update(self, frames: Evaluated) -> None:
        """See :class:`VideoMetric`."""
        prediction = self._network[0](frames["prediction"]).double()
        target = self._network[0](frames["target"]).double()
        self.count += len(prediction)
        self.prediction_total += prediction.sum(0)
        self.prediction_products += prediction.T @ prediction
        self.target_total += target.sum(0)
        self.target_products += target.T @ target

    def compute(self) -> Tensor:
        """See :class:`VideoMetric`."""
        if self.count < 2:
            return torch.full((), torch.nan, dtype=torch.float64, device=self.count.device)
        prediction = mean_and_covariance(self.count, self.prediction_total, self.prediction_products)
        target = mean_and_covariance(self.count, self.target_total, self.target_products)
        return frechet_distance(*prediction, *target)


class KID(VideoMetric):
    """Kernel distance between the features of predicted and of target frames, without FID's bias.

    Each side keeps a random sample of at most ``reservoir`` frames, so memory is flat. A frame is in it when
    the hash of (seed, side, clip, number of the frame) is among the lowest: which frames are kept does not
    depend on their order, on batches or on processes. NaN with fewer than ``subset_size`` frames.

    Args:
        network: the features.
        reservoir: frames kept on each side.
        subsets: pairs of subsets that are compared.
        subset_size: frames in a subset.
        seed: of the sample and of the subsets.

    """

    prediction_keys: Tensor
    prediction_features: Tensor
    target_keys: Tensor
    target_features: Tensor

    def __init__(
        self,
        network: FeatureNetwork,
        reservoir: int = 5000,
        subsets: int = 100,
        subset_size: int = 100,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if not 2 <= subset_size <= reservoir:
            raise ValueError(f"2 <= subset_size <= reservoir must hold, not {subset_size} and {reservoir}")
        self._network = (network,)
        self.reservoir, self.subsets, self.subset_size, self.seed = reservoir, subsets, subset_size, seed
        for side in ("prediction", "target"):
            self.add_state(f"{side}_keys", torch.full((reservoir,), EMPTY), dist_reduce_fx="cat")
            self.add_state(f"{side}_features", torch.zeros(reservoir, network.size), dist_reduce_fx="cat")

    @property
    def definition(self) -> Definition:
        """See :class:`VideoMetric`."""
        return Definition(
            name="kid",
            text=f"unbiased squared MMD under the kernel (a.b / D + 1)^3, mean of {self.subsets} subsets of "
            f"{self.subset_size} frames from at most {self.reservoir} frames a side, seed {self.seed}",
            unit="",
            low=float("-inf"),
            high=float("inf"),
            higher_is_better=False,
            source="Binkowski et al., Demystifying MMD GANs (2018)",
            backend=self._network[0].backend,
        )

    @torch.no_grad()
    def update(self, frames: Evaluated) -> None:
        """See :class:`VideoMetric`."""
        places = list(zip(frames["clip"], frames["frame"], strict=True))
        for side in ("prediction", "target"):
            self._keep(side, self._keys(side, places), self._network[0](_pictures(frames, side)))

    def _keys(self, side: str, places: Iterable[tuple[str, int]]) -> Tensor:
        hashes = [
            blake2b(f"{self.seed}\0{side}\0{clip}\0{frame}".encode(), digest_size=8) for clip, frame in places
        ]
        return torch.tensor([int.from_bytes(found.digest()) >> 1 for found in hashes])

    def _keep(self, side: str, keys: Tensor, features: Tensor) -> None:
        """Let the new frames take the places of those with higher keys."""
        kept_keys, kept_features = self._sample(side)
        keys = keys.to(kept_keys.device)
        lowest = torch.cat([kept_keys, keys]).argsort(stable=True)[: self.reservoir]
        stays = torch.zeros(self.reservoir + len(keys), dtype=torch.bool, device=keys.device)
        stays[lowest] = True
        free, taken = ~stays[: self.reservoir], stays[self.reservoir :]
        kept_keys[free] = keys[taken]
        kept_features[free] = features[taken].to(kept_features)

    def _sample(self, side: str) -> tuple[Tensor, Tensor]:
        return getattr(self, f"{side}_keys"), getattr(self, f"{side}_features")

    def compute(self) -> Tensor:
        """See :class:`VideoMetric`."""
        prediction, target = self._lowest("prediction"), self._lowest("target")
        return kernel_distance(prediction, target, self.subsets, self.subset_size, self.seed)

    def _lowest(self, side: str) -> Tensor:
        """Order the kept features by key; torchmetrics has stacked the samples of several processes."""
        keys, features = self._sample(side)
        keys, order = keys.flatten().sort(stable=True)
        kept = order[: self.reservoir][keys[: self.reservoir] != EMPTY]
        return features.flatten(0, -2)[kept]


def _pictures(frames: Evaluated, side: str) -> Tensor:
    return frames["prediction"] if side == "prediction" else frames["target"]
