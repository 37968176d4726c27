"""Bodies: the layouts of the common pose estimators."""

from __future__ import annotations

from animate.layouts.layout import both_sides, make_layout

ARM = (("*_shoulder", "*_elbow"), ("*_elbow", "*_wrist"))
LEG = (("*_hip", "*_knee"), ("*_knee", "*_ankle"))
HEAD = (("nose", "*_eye"), ("*_eye", "*_ear"))
_SQUARE = (
    ("right_shoulder", "left_shoulder"),
    ("right_hip", "left_hip"),
    *both_sides(("*_shoulder", "*_hip")),
)

COCO17 = make_layout(
    "coco17",
    (
        "nose",
        *("left_eye", "right_eye", "left_ear", "right_ear"),
        *("left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist"),
        *("left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle"),
    ),
    (*_SQUARE, *both_sides(*ARM, *LEG, *HEAD)),
)
"""COCO's keypoints, as in its annotations and in Keypoint R-CNN."""

_UPPER = (
    "nose",
    "neck",
    *("right_shoulder", "right_elbow", "right_wrist"),
    *("left_shoulder", "left_elbow", "left_wrist"),
)
COCO18 = make_layout(
    "coco18",
    (
        *_UPPER,
        *("right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle"),
        *("right_eye", "left_eye", "right_ear", "left_ear"),
    ),
    (("neck", "nose"), *both_sides(("neck", "*_shoulder"), *ARM, ("neck", "*_hip"), *LEG, *HEAD)),
)
"""OpenPose's COCO model."""

BODY25 = make_layout(
    "body25",
    (
        *_UPPER,
        "mid_hip",
        *("right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle"),
        *("right_eye", "left_eye", "right_ear", "left_ear"),
        *("left_big_toe", "left_small_toe", "left_heel", "right_big_toe", "right_small_toe", "right_heel"),
    ),
    (
        *(("neck", "nose"), ("neck", "mid_hip")),
        *both_sides(("neck", "*_shoulder"), *ARM, ("mid_hip", "*_hip"), *LEG, *HEAD),
        *both_sides(("*_ankle", "*_big_toe"), ("*_big_toe", "*_small_toe"), ("*_ankle", "*_heel")),
    ),
)
"""OpenPose's BODY_25 model."""

MEDIAPIPE33 = make_layout(
    "mediapipe33",
    (
        "nose",
        *("left_eye_inner", "left_eye", "left_eye_outer"),
        *("right_eye_inner", "right_eye", "right_eye_outer"),
        *("left_ear", "right_ear", "left_mouth", "right_mouth"),
        *("left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist"),
        *("left_pinky", "right_pinky", "left_index", "right_index", "left_thumb", "right_thumb"),
        *("left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle"),
        *("left_heel", "right_heel", "left_big_toe", "right_big_toe"),
    ),
    (
        *_SQUARE,
        *both_sides(*ARM, *LEG, *HEAD, ("*_ankle", "*_heel"), ("*_heel", "*_big_toe")),
        *both_sides(("*_wrist", "*_pinky"), ("*_wrist", "*_index"), ("*_wrist", "*_thumb")),
        ("right_mouth", "left_mouth"),
    ),
)
"""MediaPipe's body; its "foot index" is the big toe."""
