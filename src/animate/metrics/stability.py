"""Whether a model's keypoints follow what they lie on: measured without labels."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from animate.metrics.base import Definition, FrameMetric, FrameScores
from animate.metrics.functional.points import mean_where, to_pixels
from animate.ops.matrix import invert_2x2, transform_2x2
from animate.ops.random import generator
from animate.ops.transform import RandomTransform

if TYPE_CHECKING:
    from collections.abc import Callable

    from animate.types import Evaluated

_STREAM = 0x5EED_0003
_ANGLE = 15.0
_ZOOM = 1.1
_SHIFT = 0.1
_FOMM = 'Siarohin et al., "First Order Motion Model for Image Animation" (2019), equation 11, as an error'


class KeypointStability(FrameMetric):
    """Equivariance error: keypoints of a moved picture against the moved keypoints of the picture.

    The moves are similarities, one for each frame number, drawn from that number alone: every model and every
    clip is asked the same. What a move brings in from outside is the mirrored picture.

    Args:
        detector: from pictures (M, 3, H, W) in [0, 1] to keypoints (M, K, 2) in [-1, 1].
        every: only frames whose number is a multiple of this are measured, for they cost two detections each.

    """

    reads_prediction = False

    def __init__(self, detector: Callable[[Tensor], Tensor], every: int = 8) -> None:
        super().__init__()
        # In a tuple, because a network that is an attribute would get into checkpoints.
        self._detector = (detector,)
        self.every = every

    @property
    def definition(self) -> Definition:
        """See :class:`FrameMetric`."""
        text = (
            "mean Euclidean distance between the model's keypoints of a moved true frame and its keypoints "
            "of the frame, moved, in pixels, over those still in the picture; moved: turned by up to "
            f"{_ANGLE:g} degrees, scaled by 1/{_ZOOM:g} to {_ZOOM:g}, shifted by up to {_SHIFT / 2:.0%} of "
            "the width and the height, drawn from the frame's number; mean over the frames whose number is "
            f"a multiple of {self.every}"
        )
        return Definition("keypoint_stability", text, "px", 0, math.inf, False, _FOMM)

    def per_frame(self, frames: Evaluated) -> FrameScores:
        """See :class:`FrameMetric`. Frames of other numbers are not defined, nor missing."""
        target = frames["target"]
        value = torch.full((len(target),), torch.nan, dtype=torch.float64, device=target.device)
        missing = torch.zeros_like(value, dtype=torch.bool)
        asked = [i for i, number in enumerate(frames["frame"]) if number % self.every == 0]
        if asked:
            numbers = [frames["frame"][i] for i in asked]
            value[asked] = self._errors(target[asked], numbers)
            missing[asked] = value[asked].isnan()
        return FrameScores(value, missing)

    @torch.no_grad()
    def _errors(self, pictures: Tensor, numbers: list[int]) -> Tensor:
        """Measure M pictures: (M,)."""
        size = (pictures.shape[-2], pictures.shape[-1])
        move = similarities(numbers, size, pictures.device)
        # In one call: detectors take longer for two small batches.
        keypoints, moved = self._detector[0](torch.cat([pictures, move.picture(pictures)])).chunk(2)
        # The moved picture shows at z what the picture shows at A z + b: a keypoint moves by the inverse.
        inverse = invert_2x2(move.affine[:, None, :, :2])
        expected = transform_2x2(inverse, keypoints - move.affine[:, None, :, 2])
        distance = to_pixels(moved, size) - to_pixels(expected, size)
        return mean_where(distance.norm(dim=-1), (expected.abs() <= 1).all(-1))


def similarities(numbers: list[int], size: tuple[int, int], device: torch.device) -> RandomTransform:
    """Draw for each of M numbers a turn, a change of scale and a shift, by that number alone.

    Angles of a (height, width) picture that is not square are kept in its pixels.
    """
    draws = torch.stack([torch.rand(4, generator=generator(number, _STREAM)) for number in numbers])
    angle, zoom, *shift = (2 * draws - 1).unbind(1)
    angle, scale = torch.deg2rad(angle * _ANGLE), _ZOOM**zoom
    cosine, sine = scale * angle.cos(), scale * angle.sin()
    aspect = max(size[0] - 1, 1) / max(size[1] - 1, 1)
    matrix = torch.stack([cosine, -sine * aspect, sine / aspect, cosine], 1).view(-1, 2, 2)
    affine = torch.cat([matrix, _SHIFT * torch.stack(shift, 1).unsqueeze(-1)], 2)
    return RandomTransform(affine.to(device), None)
