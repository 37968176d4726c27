"""Inpainting: the background behind a figure, from what is seen around it.

``BackgroundInpainter`` holds what is kept after training; ``GlobalLocalDiscriminator`` is its adversary::

    x = masked(pictures, hole_mask)          # (B, 4, H, W): what the published programs hand over
    made = networks.background(x)            # (B, 3, H, W) in [0, 1], hole and surroundings
    plate = networks.fill(pictures, hole_mask)  # made in the hole, the picture around it

Any height and width will do: ``ResNetInpainter.forward`` states how they are padded.

The background network of Impersonator (Liquid Warping GAN, Liu et al. 2019) is the layout ``impersonator``,
that of its successor iPERCore (Liu et al. 2021) the layout ``ipercore``; ``unet`` is our own.
"""

from animate.networks.inpainting.discriminator import GlobalLocalDiscriminator
from animate.networks.inpainting.model import BackgroundInpainter, composite, masked
from animate.networks.inpainting.resnet import Layout, ResNetInpainter
from animate.networks.inpainting.unet import UNetInpainter

__all__ = [
    "BackgroundInpainter",
    "GlobalLocalDiscriminator",
    "Layout",
    "ResNetInpainter",
    "UNetInpainter",
    "composite",
    "masked",
]
