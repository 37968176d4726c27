"""Takes the tremble out of a driving video's keypoints as they come."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Protocol

import torch

from animate.pipelines.pose_smoothing import BETA, D_CUTOFF, MIN_CUTOFF

if TYPE_CHECKING:
    from torch import Tensor

    from animate.types import Keypoints


class Smoothing(Protocol):
    """Filters the keypoints of one driving video, whose frames come in order."""

    def __call__(self, keypoints: Keypoints) -> Keypoints:
        """Filter the keypoints of the next B frames: ``(B, K, 2)`` and ``(B, K, 2, 2)``."""


class OneEuro:
    """Filters places and Jacobians strongly at rest, hardly in motion (Casiez et al., CHI 2012).

    Looks at the past only, so fast movements come a little late. The first frame stays as it is. An instance
    remembers one video, whose frames come in order, however they are batched.

    Args:
        fps: of the driving video; ``fps`` may be set anew before each call where the frames come unevenly.

    Raises:
        ValueError: that is not above 0.

    """

    def __init__(self, fps: float) -> None:
        if not fps > 0:
            raise ValueError(f"{fps} frames per second")
        self.fps = fps
        self._before: dict[str, tuple[Tensor, Tensor]] = {}
        """By entry: its last filtered value, and its speed per second."""

    def __call__(self, keypoints: Keypoints) -> Keypoints:
        """Filter the keypoints of the next B frames: ``(B, K, 2)`` and ``(B, K, 2, 2)``."""
        smooth: Keypoints = {"value": self._filtered("value", keypoints["value"])}
        if "jacobian" in keypoints:
            smooth["jacobian"] = self._filtered("jacobian", keypoints["jacobian"])
        return smooth

    def _filtered(self, name: str, values: Tensor) -> Tensor:
        last, speed = self._before.get(name, (values[0], torch.zeros_like(values[0])))
        frames = []
        for value in values:  # each needs the one before it; a few numbers
            measured = (value - last) * self.fps
            speed = speed + self._weight(torch.full_like(speed, D_CUTOFF)) * (measured - speed)
            last = last + self._weight(MIN_CUTOFF + BETA * speed.abs()) * (value - last)
            frames.append(last)
        self._before[name] = last, speed
        return torch.stack(frames)

    def _weight(self, cutoff: Tensor) -> Tensor:
        """Weight of a new value in a low-pass filter of this cutoff, in Hz."""
        return 1 / (1 + self.fps / (2 * math.pi * cutoff))
