"""First Order Motion Model: keypoint detector, dense motion, generator, discriminator."""

from animate.networks.fomm.discriminator import Discriminator
from animate.networks.fomm.generator import Animation, Generator
from animate.networks.fomm.keypoint_detector import KeypointDetector, expand_keypoints, repeat_keypoints
from animate.networks.fomm.model import FirstOrderModel
from animate.networks.judgement import Judgement

__all__ = [
    "Animation",
    "Discriminator",
    "FirstOrderModel",
    "Generator",
    "Judgement",
    "KeypointDetector",
    "expand_keypoints",
    "repeat_keypoints",
]
