"""A First Order Motion Model of the real classes, with a few thousand weights."""

from __future__ import annotations

from typing import Any

from animate.networks.fomm import FirstOrderModel

ARGUMENTS: dict[str, Any] = {
    "image_size": 32,
    "num_keypoints": 3,
    "motion_size": 16,
    "keypoint_width": 4,
    "keypoint_max_width": 8,
    "keypoint_depth": 2,
    "motion_width": 4,
    "motion_max_width": 8,
    "motion_depth": 2,
    "generator_width": 4,
    "generator_max_width": 8,
    "generator_depth": 1,
    "generator_blocks": 1,
}


def networks(**arguments: Any) -> FirstOrderModel:
    """Build it with random weights; arguments replace those above."""
    return FirstOrderModel(**(ARGUMENTS | arguments))
