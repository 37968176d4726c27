"""Features of the appearance of each instance.

Wang et al., "High-Resolution Image Synthesis and Semantic Manipulation with Conditional GANs" (2018),
section 3.4.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from animate.networks.pix2pixhd.translator import Translator, from_picture
from animate.ops.instances import instance_means, number_instances, paint_instances

if TYPE_CHECKING:
    from torch import Tensor

    from animate.networks.pix2pixhd.blocks import Norm


class Encoder(Translator):
    """Pictures to a few features that are constant over each instance.

    Args:
        features: how many.
        width: channels after the first layer.
        depth: number of halvings.
        norm: ``instance`` or ``batch``.

    """

    def __init__(self, features: int = 3, width: int = 16, depth: int = 4, norm: Norm = "instance") -> None:
        super().__init__(3, features, width, depth, blocks=0, norm=norm)

    def forward(self, picture: Tensor, instance: Tensor) -> Tensor:
        """Encode ``(B, 3, H, W)`` RGB in [0, 1] with their ``(B, 1, H, W)`` maps of whole numbers.

        Returns:
            ``(B, features, H, W)`` in [-1, 1].

        """
        numbered, count = number_instances(instance)
        means, _ = instance_means(self.translate(from_picture(picture)), numbered, count)
        return paint_instances(means, numbered)
