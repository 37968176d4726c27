"""What a checkpoint of an inpainting network holds, and what goes in and comes out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn

from animate.networks.inpainting.resnet import FILTERS, ResNetInpainter
from animate.networks.inpainting.unet import UNetInpainter

if TYPE_CHECKING:
    from collections.abc import Sequence


class BackgroundInpainter(nn.Module):
    """The background network, and the side of the pictures that it is made for.

    Args:
        layout: a published one (:class:`ResNetInpainter`), or our own (:class:`UNetInpainter`).
        filters: likewise.
        blocks: likewise.
        image_size: side of the pictures that it learned from; 256 is published. Larger pictures are filled at
            that size (``pipelines.inpaint``).

    """

    def __init__(
        self,
        layout: Literal["impersonator", "ipercore", "unet"] = "impersonator",
        filters: Sequence[int] = FILTERS,
        blocks: int = 6,
        image_size: int = 256,
    ) -> None:
        super().__init__()
        self.arguments: dict[str, Any] = {
            "layout": layout,
            "filters": list(filters),
            "blocks": blocks,
            "image_size": image_size,
        }
        self.background: ResNetInpainter | UNetInpainter = (
            UNetInpainter(filters, blocks) if layout == "unet" else ResNetInpainter(layout, filters, blocks)
        )

    def fill(self, pictures: Tensor, hole_mask: Tensor) -> Tensor:
        """Fill holes; what is around them stays as it is.

        Args:
            pictures: (B, 3, H, W) in [0, 1]; what they show in the hole plays no part.
            hole_mask: (B, 1, H, W) in [0, 1], 1 in the hole.

        Returns:
            (B, 3, H, W) in [0, 1].

        """
        return composite(self.background(masked(pictures, hole_mask)), pictures, hole_mask)


def masked(pictures: Tensor, hole_mask: Tensor) -> Tensor:
    """Make the published input: the picture in [-1, 1], 0 in the hole, and the mask of what is known.

    Args:
        pictures: (B, 3, H, W) in [0, 1].
        hole_mask: (B, 1, H, W) in [0, 1], 1 in the hole.

    Returns:
        (B, 4, H, W).

    """
    known = 1 - hole_mask
    return torch.cat([(2 * pictures - 1) * known, known], dim=1)


def composite(made: Tensor, pictures: Tensor, hole_mask: Tensor) -> Tensor:
    """Put what was made into the hole, ``hole * made + (1 - hole) * picture``: shapes as in ``masked``."""
    return torch.lerp(pictures, made.to(pictures.dtype), hole_mask.to(pictures.dtype))
