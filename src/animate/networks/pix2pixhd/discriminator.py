"""The discriminator at several scales.

Wang et al., "High-Resolution Image Synthesis and Semantic Manipulation with Conditional GANs" (2018),
section 3.2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from animate.networks.blocks import SpectralNormConv2d
from animate.networks.judgement import Judgement
from animate.networks.pix2pixhd.blocks import draw_weights, norm_layer
from animate.networks.pix2pixhd.translator import from_picture, halve
from animate.ops.precision import at_least_float32

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_WIDTH = 512
"""Bound on the channels of any layer."""

Norm = Literal["instance", "batch", "spectral"]
"""Of the features, as in ``blocks``; or spectral: of the weights of all convolutions, none of features."""


class MultiscaleDiscriminator(nn.Module):
    """Label and picture to maps of scores, by equal networks at full size, half, a quarter, ...

    Args:
        condition_channels: of a frame's label (``Pix2PixHD.condition_channels``).
        frames: how many frames are judged together, each with its label.
        width: channels after the first layer; doubled by each layer, at most 512.
        layers: number of layers with stride 2.
        scales: number of scales.
        norm: ``instance``, ``batch`` or ``spectral``.

    """

    def __init__(
        self,
        condition_channels: int = 18,
        frames: int = 1,
        width: int = 64,
        layers: int = 3,
        scales: int = 2,
        norm: Norm = "instance",
    ) -> None:
        super().__init__()
        self.arguments: dict[str, int | float | str | bool] = {
            "condition_channels": condition_channels,
            "frames": frames,
            "width": width,
            "layers": layers,
            "scales": scales,
            "norm": norm,
        }
        self.scales = nn.ModuleList(
            PatchDiscriminator(frames * (condition_channels + 3), width, layers, norm) for _ in range(scales)
        )
        draw_weights(self)

    def widened(
        self, state: Mapping[str, Tensor], arguments: Mapping[str, object]
    ) -> tuple[dict[str, Tensor], str]:
        """Fit the weights of a discriminator of single frames to one of several frames.

        The last of them is judged as before: the weights of the others, of labels and pictures, are 0.

        Args:
            state: of the other discriminator.
            arguments: of it.

        Returns:
            The state with what is added, and what that is in words; unchanged, and nothing, where it judges
            several frames as well, or this one single ones.

        """
        frames, label = int(self.arguments["frames"]), int(self.arguments["condition_channels"])
        if arguments["frames"] != 1 or frames == 1:
            return dict(state), ""
        earlier = frames - 1
        wider = {}
        for name in (name for name in state if name.endswith("blocks.0.conv.weight")):
            labels, pictures = state[name][:, :label], state[name][:, label:]
            added = (F.pad(part, (0, 0, 0, 0, earlier * part.shape[1], 0)) for part in (labels, pictures))
            wider[name] = torch.cat([*added], dim=1)
        return {**state, **wider}, "the weights of the earlier frames start at 0"

    def forward(self, label: Tensor, picture: Tensor) -> list[Judgement]:
        """Judge pictures together with what they are to show.

        Args:
            label: ``(B, C, H, W)``, as the generator gets it without features and previous frame
                (``Pix2PixHD.condition``); several frames' one after the other.
            picture: ``(B, 3 k, H, W)`` RGB in [0, 1], k frames one after the other.

        Returns:
            One judgement for each scale, the finest first. Scores are logits with cross entropy.

        """
        x = torch.cat([label.to(picture.dtype), from_picture(picture)], dim=1)
        judgements = []
        for number, scale in enumerate(self.scales):
            x = x if number == 0 else halve(x)
            judgements.append(scale(x))
        return judgements


class PatchDiscriminator(nn.Module):
    """4x4 convolutions with padding 2, each but the first with a norm, and leaky ReLU; then one to a score.

    Isola et al., "Image-to-Image Translation with Conditional Adversarial Networks" (2017).
    """

    def __init__(self, in_channels: int, width: int, layers: int, norm: Norm) -> None:
        super().__init__()
        channels = [in_channels, *(min(width * 2**i, MAX_WIDTH) for i in range(layers + 1))]
        self.blocks = nn.ModuleList(
            PatchLayer(channels[i], channels[i + 1], 2 if i < layers else 1, norm, first=i == 0)
            for i in range(layers + 1)
        )
        self.head = _convolution(channels[-1], 1, 1, norm)

    def forward(self, x: Tensor) -> Judgement:
        """Judge ``(B, in_channels, H, W)``."""
        features = []
        for block in self.blocks:
            x = block(x)
            features.append(x)
        return Judgement(features, at_least_float32(self.head(x)))


class PatchLayer(nn.Module):
    """4x4 convolution, a norm of the features but in the first layer, leaky ReLU."""

    def __init__(self, in_channels: int, out_channels: int, stride: int, norm: Norm, *, first: bool) -> None:
        super().__init__()
        self.conv = _convolution(in_channels, out_channels, stride, norm)
        self.norm = None if first or norm == "spectral" else norm_layer(norm, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, in, H, W)`` to ``(B, out, H // stride + 1, W // stride + 1)``."""
        x = self.conv(x)
        x = x if self.norm is None else self.norm(x)
        return F.leaky_relu(x, 0.2, inplace=True)


def _convolution(in_channels: int, out_channels: int, stride: int, norm: Norm) -> nn.Conv2d:
    layer = SpectralNormConv2d if norm == "spectral" else nn.Conv2d
    return layer(in_channels, out_channels, 4, stride, padding=2)
