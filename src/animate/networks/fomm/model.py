"""The two networks of the First Order Motion Model, built from one image size."""

from __future__ import annotations

import torch
from torch import nn

from animate.errors import UserError
from animate.networks.fomm.dense_motion import DenseMotion
from animate.networks.fomm.generator import Generator
from animate.networks.fomm.keypoint_detector import JacobianKind, KeypointDetector


class FirstOrderModel(nn.Module):
    """Keypoint detector and generator of Siarohin et al. (2019), as published by the authors.

    No parameter's shape depends on the image size, so weights of one size are a warm start for another.

    Args:
        image_size: side of the square pictures, in pixels.
        num_keypoints: K.
        jacobian: local affine motion ``per_keypoint``, one map ``shared`` by all, or ``none``.
        motion_size: side at which keypoints and motion are computed; must divide ``image_size``.
        temperature: of the keypoints' softmax.
        keypoint_width, keypoint_max_width, keypoint_depth: hourglass of the keypoint detector.
        motion_width, motion_max_width, motion_depth: hourglass of the dense motion network.
        generator_width, generator_max_width, generator_depth, generator_blocks: the generator.
        occlusion: whether the generator gets an occlusion map.
        generator_blend: whether the warped source itself is kept where nothing is occluded.

    Raises:
        UserError: the sizes, or blending and occlusion, do not fit together.

    """

    def __init__(
        self,
        image_size: int = 256,
        num_keypoints: int = 10,
        jacobian: JacobianKind = "per_keypoint",
        motion_size: int = 64,
        temperature: float = 0.1,
        keypoint_width: int = 32,
        keypoint_max_width: int = 1024,
        keypoint_depth: int = 5,
        motion_width: int = 64,
        motion_max_width: int = 1024,
        motion_depth: int = 5,
        generator_width: int = 64,
        generator_max_width: int = 512,
        generator_depth: int = 2,
        generator_blocks: int = 6,
        occlusion: bool = True,
        generator_blend: bool = False,
    ) -> None:
        arguments = {name: value for name, value in locals().items() if name not in {"self", "__class__"}}
        super().__init__()
        self.arguments: dict[str, int | float | str | bool] = arguments
        _check_sizes(image_size, motion_size, max(keypoint_depth, motion_depth), generator_depth)
        factor = image_size // motion_size
        self.keypoint_detector = KeypointDetector(
            num_keypoints, jacobian, factor, temperature, keypoint_width, keypoint_max_width, keypoint_depth
        )
        motion = DenseMotion(num_keypoints, factor, occlusion, motion_width, motion_max_width, motion_depth)
        self.generator = Generator(
            motion, generator_width, generator_max_width, generator_depth, generator_blocks, generator_blend
        )

    @property
    def device(self) -> torch.device:
        """Where the weights lie, and pictures have to."""
        return next(self.parameters()).device


def _check_sizes(image_size: int, motion_size: int, motion_depth: int, generator_depth: int) -> None:
    """Refuse sizes that do not divide, before any weight is drawn."""
    if image_size % motion_size:
        raise UserError(
            f"image_size {image_size} is not a multiple of motion_size {motion_size}: keypoints and motion"
            " are computed at a whole fraction of it (with motion_size 64: 64, 128, 256, 384, 512)"
        )
    if motion_size % 2**motion_depth or motion_size < 8:
        raise UserError(
            f"motion_size {motion_size} must be at least 8 and a multiple of {2**motion_depth}"
            f" (2^keypoint_depth and 2^motion_depth); choose another size or less depth"
        )
    if image_size % 2**generator_depth:
        raise UserError(
            f"image_size {image_size} must be a multiple of {2**generator_depth} (2^generator_depth)"
        )
