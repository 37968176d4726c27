"""pix2pixHD: label to picture, coarse to fine; with the previous frame and the face of Everybody Dance Now.

``Pix2PixHD`` holds what is kept after training; ``MultiscaleDiscriminator`` is its adversary, and that of the
face. In a training step with networks ``n`` and discriminator ``d``::

    condition = n.condition(label, instance)              # (B, condition_channels, H, W)
    features = n.encoder(picture, instance)               # only where n.encoder is not None
    x = n.join(condition, features=..., previous=...)     # (B, in_channels, H, W)
    fake = n.generator(x)                                 # (B, 3, H, W) in [0, 1]
    judged = d(condition, fake)                           # [Judgement(features, score), ...], finest first
    better = n.face(condition_crop, fake_crop)            # only where n.face is not None

The global part is ``n.generator.trunk``: ``freeze: [networks.generator.trunk]`` holds it still. With
``n.recompute()`` the blocks are computed again in the backward pass instead of being kept. Height and width
must be multiples of ``n.generator.multiple`` and at least ``n.generator.smallest``.

The published GlobalGenerator is a ``Generator`` without enhancers, the published LocalEnhancer one with.
"""

from animate.networks.judgement import Judgement
from animate.networks.pix2pixhd.clusters import FeatureClusters
from animate.networks.pix2pixhd.discriminator import MultiscaleDiscriminator
from animate.networks.pix2pixhd.encoder import Encoder
from animate.networks.pix2pixhd.face import FaceGenerator
from animate.networks.pix2pixhd.model import Pix2PixHD
from animate.networks.pix2pixhd.translator import Generator, Translator

__all__ = [
    "Encoder",
    "FaceGenerator",
    "FeatureClusters",
    "Generator",
    "Judgement",
    "MultiscaleDiscriminator",
    "Pix2PixHD",
    "Translator",
]
