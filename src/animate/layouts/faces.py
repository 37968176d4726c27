"""Faces and hands."""

from __future__ import annotations

from animate.layouts.layout import make_layout

_FACE68_PARTS = (
    *(("jaw", 17), ("right_brow", 5), ("left_brow", 5), ("bridge", 4), ("nostrils", 5)),
    *(("right_eye", 6), ("left_eye", 6), ("lips_outer", 12), ("lips_inner", 8)),
)
_CLOSED = ("right_eye", "left_eye", "lips_outer", "lips_inner")


def face_mirror() -> dict[str, str]:
    """Tell the mirror image of each of the 68 points: outlines run the other way round."""
    mirror: dict[str, str] = {}
    for part, count in (("jaw", 17), ("nostrils", 5)):
        mirror |= {f"{part}_{i}": f"{part}_{count - 1 - i}" for i in range(count)}
    mirror |= {f"bridge_{i}": f"bridge_{i}" for i in range(4)}
    for part, count, turn in (("brow", 5, 4), ("eye", 6, 3), ("lips_outer", 12, 6), ("lips_inner", 8, 4)):
        a, b = (part, part) if part.startswith("lips") else (f"right_{part}", f"left_{part}")
        for i in range(count):
            mirror |= {f"{a}_{i}": f"{b}_{(turn - i) % count}", f"{b}_{(turn - i) % count}": f"{a}_{i}"}
    return mirror


FACE68 = make_layout(
    "face68",
    [f"{part}_{i}" for part, count in _FACE68_PARTS for i in range(count)],
    [
        *((f"{p}_{i}", f"{p}_{i + 1}") for p, count in _FACE68_PARTS for i in range(count - 1)),
        *((f"{p}_{count - 1}", f"{p}_0") for p, count in _FACE68_PARTS if p in _CLOSED),
    ],
    face_mirror(),
)
"""The iBUG 68 points: jaw 0 to 16, brows 17 to 26, nose 27 to 35, eyes 36 to 47, lips 48 to 67. The figure's
right is the picture's left."""

_PUPILS = ("right_pupil", "left_pupil")
FACE70 = make_layout(
    "face70",
    (*FACE68.points, *_PUPILS),
    [(FACE68.points[a], FACE68.points[b]) for a, b in FACE68.limbs],
    face_mirror(),
)
"""OpenPose's face: the 68 points, then the pupils."""

SPARSE_FACE = (
    *(("jaw_0", "jaw_8"), ("jaw_8", "jaw_16"), ("bridge_0", "bridge_3"), ("bridge_3", "nostrils_2")),
    *(("right_pupil", "bridge_0"), ("bridge_0", "left_pupil")),
)
"""Lines between the eight points of the face that Everybody Dance Now draws: outline, nose, pupils. More of
them would tell the shape of the one face apart from that of the other."""

FACE5 = make_layout(
    "face5", ("right_eye", "left_eye", "nose_tip", "right_mouth_corner", "left_mouth_corner"), ()
)
"""The centres of the eyes, the tip of the nose and the corners of the mouth."""

FINGERS = ("thumb", "index", "middle", "ring", "pinky")
HAND21 = make_layout(
    "hand21",
    ("wrist", *(f"{finger}_{i}" for finger in FINGERS for i in range(1, 5))),
    [
        limb
        for finger in FINGERS
        for limb in (("wrist", f"{finger}_1"), *((f"{finger}_{i}", f"{finger}_{i + 1}") for i in (1, 2, 3)))
    ],
)
"""A hand, as in OpenPose and MediaPipe: the wrist, then four points of each finger, the tip last."""
