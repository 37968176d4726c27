"""The face generator: a second look at a crop around the head.

Chan et al., "Everybody Dance Now" (2019), section 3.3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from animate.networks.pix2pixhd.translator import Translator, from_picture

if TYPE_CHECKING:
    from torch import Tensor

    from animate.networks.pix2pixhd.blocks import Norm


class FaceGenerator(Translator):
    """The label's and the picture's crop to a correction of the picture.

    Args:
        label_channels: channels of the label (6 inputs in all with a rendered skeleton).
        width: channels after the first layer.
        depth: number of halvings.
        blocks: number of residual blocks.
        norm: ``instance`` or ``batch``.

    """

    def __init__(
        self,
        label_channels: int = 3,
        width: int = 64,
        depth: int = 3,
        blocks: int = 5,
        norm: Norm = "instance",
    ) -> None:
        super().__init__(label_channels + 3, 3, width, depth, blocks, norm=norm)

    def forward(self, label: Tensor, crop: Tensor) -> Tensor:
        """Correct crops: the result is the crop plus a residual of at most 1/2 either way.

        Args:
            label: ``(B, label_channels, h, w)``, the same part of the label.
            crop: ``(B, 3, h, w)`` RGB in [0, 1].

        Returns:
            ``(B, 3, h, w)``. Values may leave [0, 1], so that gradients stay: clamp to show or to paste.

        """
        residual = self.translate(torch.cat([label.to(crop.dtype), from_picture(crop)], dim=1))
        return crop + residual / 2
