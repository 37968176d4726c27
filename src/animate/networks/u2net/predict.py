"""From pictures of any size to mattes: what the published program does around U²-Net, and windows.

A picture is looked at whole, at the side that the network was made for (320 as published), and treated as
published: divided by its largest value, normalised by ImageNet's, the map stretched to [0, 1] where there is
something to tell apart, and brought back to the size of the picture.

A picture that is more than ``LARGE`` times as long as that side is then looked at once more, at twice the
side, in overlapping windows of the side. Where the first look was sure, it stands: a window inside of a
figure shows no figure. Where it was not, at boundaries and fine parts, the windows' word is taken.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F

from animate.networks.u2net.model import normalised, stretched
from animate.ops.tiles import by_windows

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from animate.networks.u2net.model import U2NetMatting

LARGE = 4.0
"""A picture's longer side, in sides of the network, from which windows are used."""
DETAIL = 2
"""The longer side at which windows are cut, likewise."""
_OVERLAP = 4  # a window shares a quarter of its side with the next
_REACH = 32  # and a sixteenth around what is not sure is not sure either


@torch.inference_mode()
def mattes_of(networks: U2NetMatting, pictures: Tensor, large: float = LARGE) -> Tensor:
    """Cut the main object out of each picture.

    Args:
        networks: in evaluation mode.
        pictures: (B, 3, H, W) in [0, 1], any size, on the networks' device.
        large: see ``LARGE``; 0 never uses windows.

    Returns:
        (B, 1, H, W) in [0, 1].

    """
    side = int(networks.arguments["image_size"])

    def look(part: Tensor, largest: Tensor | None = None) -> Tensor:
        joint: Tensor = networks.matting(normalised(_resized(part, (side, side)), largest))[0]
        return joint

    windows = large > 0 and max(pictures.shape[-2:]) > large * side
    mattes = stretched(detailed(look, pictures, side) if windows else look(pictures))
    return _enlarged(mattes, (pictures.shape[-2], pictures.shape[-1])).clamp(0, 1)


def detailed(look: Callable[..., Tensor], pictures: Tensor, side: int) -> Tensor:
    """Look at large pictures whole, then in windows where that was not sure.

    Args:
        look: gives maps (B, 1, h, w) of any size of pictures (B, 3, H, W), and takes the pictures' largest
            values (B, 1, 1, 1) if they are parts of larger ones.
        pictures: (B, 3, H, W) in [0, 1].
        side: of the windows; the longer side of the pictures becomes ``DETAIL`` times as long.

    Returns:
        Maps at that size, (B, 1, h, w).

    """
    scale = DETAIL * side / max(pictures.shape[-2:])
    height, width = (max(1, round(scale * length)) for length in pictures.shape[-2:])
    working = _resized(pictures, (height, width))
    largest = _resized(pictures, (side, side)).amax(dim=(1, 2, 3), keepdim=True)
    whole = _enlarged(look(pictures), (height, width))

    def window(part: Tensor) -> Tensor:
        return _enlarged(look(part, largest), (part.shape[-2], part.shape[-1]))

    fine = by_windows(window, working, side, side // _OVERLAP)
    return torch.lerp(whole, fine, unsure(whole, side // _REACH))


def unsure(mattes: Tensor, reach: int) -> Tensor:
    """Tell where maps are neither 0 nor 1: 1 at one half, 0 where they are sure, and so for ``reach`` around.

    Args:
        mattes: (B, 1, H, W) in [0, 1].
        reach: in pixels.

    """
    return F.max_pool2d(4 * mattes * (1 - mattes), 2 * reach + 1, stride=1, padding=reach)


def _resized(pictures: Tensor, size: tuple[int, int]) -> Tensor:
    """Bring (B, 3, H, W) to another height and width, bilinear; what shrinks is averaged."""
    return F.interpolate(pictures, size, mode="bilinear", align_corners=False, antialias=True)


def _enlarged(mattes: Tensor, size: tuple[int, int]) -> Tensor:
    return F.interpolate(mattes, size, mode="bilinear", align_corners=False)
