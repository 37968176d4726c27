"""U²-Net and U²-Netp: a U-net of U-nets that finds the main object of a picture.

Qin et al., "U²-Net: Going deeper with nested U-structure for salient object detection" (2020), section 3.2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import torch
from torch import Tensor, nn

from animate.errors import UserError
from animate.networks.u2net.blocks import ResidualU, enlarge, halve
from animate.ops.precision import at_least_float32

if TYPE_CHECKING:
    from collections.abc import Mapping

Layout = Literal["u2net", "u2netp"]

PUBLISHED_WIDTH = 64
SMALLEST_SHARE = 4
"""The narrowest layers have a quarter of the first stage's channels."""


class Widths(NamedTuple):
    """Channels inside and at the end of each stage, at the published width."""

    encoder: tuple[tuple[int, int], ...]
    """From the finest to the coarsest."""
    decoder: tuple[tuple[int, int], ...]
    """From the coarsest to the finest."""


WIDTHS: Mapping[Layout, Widths] = {
    "u2net": Widths(
        ((32, 64), (32, 128), (64, 256), (128, 512), (256, 512), (256, 512)),
        ((256, 512), (128, 256), (64, 128), (32, 64), (16, 64)),
    ),
    "u2netp": Widths(((16, 64),) * 6, ((16, 64),) * 5),
}
DEPTHS = (7, 6, 5, 4)
"""Of the blocks of the finest stages; the two coarsest stages are dilated blocks of four levels."""
STAGES, DILATED_DEPTH = 6, 4


class U2Net(nn.Module):
    """Six stages down, five up, each a U itself; every size gives a map of its own, a seventh joins them.

    Args:
        layout: the full network, or the small one (U²-Netp), all of whose stages have one width.
        width: channels of the finest stage; all others scale with it. 64 is published.

    Raises:
        UserError: the width is no multiple of 4.

    """

    def __init__(self, layout: Layout = "u2netp", width: int = PUBLISHED_WIDTH) -> None:
        super().__init__()
        if width % SMALLEST_SHARE:
            raise UserError(f"width {width} is no multiple of {SMALLEST_SHARE}, as the narrowest layers need")
        encoder, decoder = (
            [(inner * width // PUBLISHED_WIDTH, outer * width // PUBLISHED_WIDTH) for inner, outer in widths]
            for widths in WIDTHS[layout]
        )
        before = [3, *(outer for _, outer in encoder)]
        self.encoder = nn.ModuleList(_stage(before[i], *widths, level=i) for i, widths in enumerate(encoder))
        below = [encoder[-1][1], *(outer for _, outer in decoder)]
        self.decoder = nn.ModuleList(
            _stage(below[i] + encoder[4 - i][1], *widths, level=4 - i) for i, widths in enumerate(decoder)
        )
        # From the finest: the results of the decoder's stages, and of the coarsest stage.
        self.sides = nn.ModuleList(nn.Conv2d(channels, 1, 3, padding=1) for channels in reversed(below))
        self.fuse = nn.Conv2d(STAGES, 1, 1)

    def logits(self, x: Tensor) -> tuple[Tensor, ...]:
        """Compute the seven maps before the sigmoid, at least float32; as ``forward``."""
        skips: list[Tensor] = []
        for stage in self.encoder:
            skips.append(stage(halve(skips[-1]) if skips else x))
        results = [skips.pop()]
        for stage in self.decoder:
            skip = skips.pop()
            results.append(stage(torch.cat([enlarge(results[-1], skip), skip], dim=1)))
        maps = [side(y) for side, y in zip(self.sides, reversed(results), strict=True)]
        maps = [enlarge(one, maps[0]) for one in maps]
        return tuple(at_least_float32(one) for one in (self.fuse(torch.cat(maps, dim=1)), *maps))

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Find the main object.

        Args:
            x: (B, 3, H, W), any size; :func:`normalised` makes it of pictures.

        Returns:
            Seven maps (B, 1, H, W) in [0, 1], 1 on the object: the joint one, then those of the six sizes
            from the finest to the coarsest.

        """
        return tuple(one.sigmoid() for one in self.logits(x))


def _stage(in_channels: int, inner: int, outer: int, *, level: int) -> ResidualU:
    """Make the block of a stage, by its level from the finest."""
    if level < len(DEPTHS):
        return ResidualU(in_channels, inner, outer, DEPTHS[level])
    return ResidualU(in_channels, inner, outer, DILATED_DEPTH, dilated=True)


class U2NetMatting(nn.Module):
    """What a checkpoint of U²-Net holds: the network, and the side of the pictures it is made for.

    Args:
        layout: see :class:`U2Net`.
        width: likewise.
        image_size: side of the squares that pictures are brought to; 320 is published.

    """

    def __init__(
        self, layout: Layout = "u2netp", width: int = PUBLISHED_WIDTH, image_size: int = 320
    ) -> None:
        super().__init__()
        self.arguments: dict[str, int | float | str | bool] = {
            "layout": layout,
            "width": width,
            "image_size": image_size,
        }
        self.matting = U2Net(layout, width)


MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet's pictures."""


def normalised(pictures: Tensor, largest: Tensor | None = None) -> Tensor:
    """Make the network's input as published: each picture by its own largest value, then by ImageNet's.

    Args:
        pictures: (B, 3, H, W) in [0, 1]. A black one stays black.
        largest: (B, 1, 1, 1), the largest value of the whole of which ``pictures`` are parts.

    Returns:
        (B, 3, H, W) float32 or more.

    """
    pictures = at_least_float32(pictures)
    largest = pictures.amax(dim=(1, 2, 3), keepdim=True) if largest is None else largest
    scaled = pictures / torch.where(largest > 0, largest, 1)
    mean, deviation = (scaled.new_tensor(values).view(3, 1, 1) for values in (MEAN, DEVIATION))
    return (scaled - mean) / deviation


SURE = 0.5


def stretched(mattes: Tensor) -> Tensor:
    """Stretch each map to the whole of [0, 1] as published, but for maps that show nothing to tell apart.

    The published program stretches every map, so that noise of an empty picture becomes a figure. Here a map
    without a value above one half, or without one below it, stays as it is.

    Args:
        mattes: (B, 1, H, W) in [0, 1].

    Returns:
        The same shape, in [0, 1].

    """
    low, high = mattes.amin(dim=(1, 2, 3), keepdim=True), mattes.amax(dim=(1, 2, 3), keepdim=True)
    tells = (low < SURE) & (high > SURE)
    return torch.where(tells, (mattes - low) / torch.where(tells, high - low, 1), mattes)
