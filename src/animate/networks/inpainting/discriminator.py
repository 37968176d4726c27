"""The discriminator of filled pictures: one looks at the whole, another at a square around the hole.

Iizuka et al., "Globally and Locally Consistent Image Completion" (2017); patches as in Isola et al.,
"Image-to-Image Translation with Conditional Adversarial Networks" (2017).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from animate.errors import UserError
from animate.networks.inpainting.model import masked
from animate.networks.judgement import Judgement
from animate.ops.crop import corners_around, crop
from animate.ops.precision import at_least_float32

MOST = 8
"""Channels of any layer, in widths of the first."""
GLOBAL_CHANNELS, LOCAL_CHANNELS = 4, 6


class GlobalLocalDiscriminator(nn.Module):
    """Two patch discriminators: of the picture with the hole's mask, and of a crop around the hole.

    The published local one sees a crop of the body beside its part map. A background has no body: here the
    crop lies around the hole, and beside it stands what was known of it.

    Args:
        width: channels after the first layer; doubled by each layer, at most eightfold.
        layers: number of layers with stride 2.
        local_side: side of the crop, as a share of the picture's shorter side.

    """

    def __init__(self, width: int = 64, layers: int = 4, local_side: float = 0.5) -> None:
        super().__init__()
        self.arguments: dict[str, int | float | str | bool] = {
            "width": width,
            "layers": layers,
            "local_side": local_side,
        }
        self.whole = PatchDiscriminator(GLOBAL_CHANNELS, width, layers)
        self.local = PatchDiscriminator(LOCAL_CHANNELS, width, layers)
        self.smallest = 3 * 2**layers
        """Side of the smallest crop; instance norm needs more than one value."""

    def forward(self, pictures: Tensor, hole_mask: Tensor, true: Tensor) -> list[Judgement]:
        """Judge pictures.

        Args:
            pictures: (B, 3, H, W) in [0, 1], made or true.
            hole_mask: (B, 1, H, W), 1 in the hole.
            true: (B, 3, H, W) in [0, 1], of which only what is around the hole is looked at.

        Returns:
            What each says, of the whole and of the crop.

        Raises:
            UserError: the crop is too small for so many layers.

        """
        seen = 2 * pictures - 1
        side = round(min(pictures.shape[-2:]) * float(self.arguments["local_side"]))
        if side < self.smallest:
            raise UserError(
                f"data.image_size={min(pictures.shape[-2:])}: the discriminator's crop would be {side} px and"
                f" needs {self.smallest}; set model.discriminator.layers lower or local_side higher"
            )
        size = (pictures.shape[-2], pictures.shape[-1])
        corners, _ = corners_around(*_centre(hole_mask), side, size)
        around = torch.cat([seen, masked(true, hole_mask)[:, :3].to(seen.dtype)], dim=1)
        with_mask = torch.cat([seen, hole_mask.to(seen.dtype)], dim=1)
        return [self.whole(with_mask), self.local(crop(around, corners, side))]


def _centre(mask: Tensor) -> tuple[Tensor, Tensor]:
    """Give each mask's centre of gravity (B, 1, 2) in [-1, 1], and whether it has one (B, 1)."""
    weight = at_least_float32(mask[:, 0])
    total = weight.sum((1, 2))
    rows, columns = (torch.linspace(-1, 1, n, device=mask.device) for n in weight.shape[1:])
    y, x = (weight.sum(2) * rows).sum(1), (weight.sum(1) * columns).sum(1)
    return (torch.stack([x, y], dim=-1) / total.clamp_min(1)[:, None])[:, None], (total > 0)[:, None]


class PatchDiscriminator(nn.Module):
    """4x4 convolutions with padding 1, leaky ReLU, and instance norm in all but the first and the last.

    Args:
        in_channels: of the input.
        width: channels after the first layer.
        layers: number of layers with stride 2; one more has stride 1, and the last makes the scores.

    """

    def __init__(self, in_channels: int, width: int, layers: int) -> None:
        super().__init__()
        channels = [width * min(2**i, MOST) for i in range(layers + 1)]
        self.first = nn.Conv2d(in_channels, width, 4, 2, padding=1)
        self.convs = nn.ModuleList(
            nn.Conv2d(channels[i], channels[i + 1], 4, 2 if i + 1 < layers else 1, padding=1)
            for i in range(layers)
        )
        self.norms = nn.ModuleList(nn.InstanceNorm2d(out) for out in channels[1:])
        self.head = nn.Conv2d(channels[-1], 1, 4, 1, padding=1)

    def forward(self, x: Tensor) -> Judgement:
        """Judge ``(B, in_channels, H, W)``."""
        features = [F.leaky_relu(self.first(x), 0.2)]
        for conv, norm in zip(self.convs, self.norms, strict=True):
            features.append(F.leaky_relu(norm(conv(features[-1])), 0.2))
        return Judgement(features, at_least_float32(self.head(features[-1])))
