"""Which points a pose has, in which order: names, left and right, limbs, and counterparts between layouts.

A point's name is its meaning: points of the same name in two layouts are the same point, and a few points
are midpoints or means of others (``MEANS``). Everything else about translations follows from the names. Left
and right are the figure's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from animate.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Limb = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Layout:
    """A named order of J points."""

    name: str
    points: tuple[str, ...]
    """Their names, in order."""
    limbs: tuple[Limb, ...]
    """Pairs of points to join with a line in a drawing."""
    swap: tuple[int, ...]
    """The place of each point's mirror image; its own where it has none. Mirroring a picture exchanges
    them."""

    def index(self, point: str) -> int:
        """Return the place of a point. Raises ``ValueError`` when the layout has none of this name."""
        return self.points.index(point)


def _mirrored(name: str) -> str:
    """Return a point's name with the sides exchanged."""
    for a, b in (("left_", "right_"), ("right_", "left_")):
        if (start := name.rfind(a)) >= 0 and (start == 0 or not name[start - 1].isalnum()):
            return name[:start] + b + name[start + len(a) :]
    return name


def _layout(
    name: str,
    points: Sequence[str],
    limbs: Iterable[tuple[str, str]],
    mirror: Mapping[str, str] | None = None,
) -> Layout:
    """Make a layout from names; ``mirror`` where a mirror image's name does not follow from the point's."""
    places = {point: i for i, point in enumerate(points)}
    swap = tuple(places[(mirror or {}).get(point) or _mirrored(point)] for point in points)
    return Layout(name, tuple(points), tuple((places[a], places[b]) for a, b in limbs), swap)


def _sides(*limbs: tuple[str, str]) -> list[tuple[str, str]]:
    """List limbs of the right side, then of the left: ``*`` stands for the side."""
    return [(a.replace("*", s), b.replace("*", s)) for s in ("right", "left") for a, b in limbs]


_ARM = (("*_shoulder", "*_elbow"), ("*_elbow", "*_wrist"))
_LEG = (("*_hip", "*_knee"), ("*_knee", "*_ankle"))
_HEAD = (("nose", "*_eye"), ("*_eye", "*_ear"))
_SQUARE = (
    ("right_shoulder", "left_shoulder"),
    ("right_hip", "left_hip"),
    *_sides(("*_shoulder", "*_hip")),
)

COCO17 = _layout(
    "coco17",
    (
        "nose",
        *("left_eye", "right_eye", "left_ear", "right_ear"),
        *("left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist"),
        *("left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle"),
    ),
    (*_SQUARE, *_sides(*_ARM, *_LEG, *_HEAD)),
)
"""COCO's keypoints, as in its annotations and in Keypoint R-CNN."""

_UPPER = (
    "nose",
    "neck",
    *("right_shoulder", "right_elbow", "right_wrist"),
    *("left_shoulder", "left_elbow", "left_wrist"),
)
COCO18 = _layout(
    "coco18",
    (
        *_UPPER,
        *("right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle"),
        *("right_eye", "left_eye", "right_ear", "left_ear"),
    ),
    (("neck", "nose"), *_sides(("neck", "*_shoulder"), *_ARM, ("neck", "*_hip"), *_LEG, *_HEAD)),
)
"""OpenPose's COCO model."""

BODY25 = _layout(
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
        *_sides(("neck", "*_shoulder"), *_ARM, ("mid_hip", "*_hip"), *_LEG, *_HEAD),
        *_sides(("*_ankle", "*_big_toe"), ("*_big_toe", "*_small_toe"), ("*_ankle", "*_heel")),
    ),
)
"""OpenPose's BODY_25 model."""

MEDIAPIPE33 = _layout(
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
        *_sides(*_ARM, *_LEG, *_HEAD, ("*_ankle", "*_heel"), ("*_heel", "*_big_toe")),
        *_sides(("*_wrist", "*_pinky"), ("*_wrist", "*_index"), ("*_wrist", "*_thumb")),
        ("right_mouth", "left_mouth"),
    ),
)
"""MediaPipe's body; its "foot index" is the big toe."""

_FACE68_PARTS = (
    *(("jaw", 17), ("right_brow", 5), ("left_brow", 5), ("bridge", 4), ("nostrils", 5)),
    *(("right_eye", 6), ("left_eye", 6), ("lips_outer", 12), ("lips_inner", 8)),
)
_CLOSED = ("right_eye", "left_eye", "lips_outer", "lips_inner")


def _face68_mirror() -> dict[str, str]:
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


FACE68 = _layout(
    "face68",
    [f"{part}_{i}" for part, count in _FACE68_PARTS for i in range(count)],
    [
        *((f"{p}_{i}", f"{p}_{i + 1}") for p, count in _FACE68_PARTS for i in range(count - 1)),
        *((f"{p}_{count - 1}", f"{p}_0") for p, count in _FACE68_PARTS if p in _CLOSED),
    ],
    _face68_mirror(),
)
"""The iBUG 68 points: jaw 0 to 16, brows 17 to 26, nose 27 to 35, eyes 36 to 47, lips 48 to 67. The figure's
right is the picture's left."""

FACE5 = _layout("face5", ("right_eye", "left_eye", "nose_tip", "right_mouth_corner", "left_mouth_corner"), ())
"""The centres of the eyes, the tip of the nose and the corners of the mouth."""

PUPPET_PERSON = _layout(
    "puppet_person", COCO18.points, ((COCO18.points[a], COCO18.points[b]) for a, b in COCO18.limbs)
)
"""A drawn person: COCO-18, right and left being the person's own."""

_MOUTH = {"mouth_right": "mouth_left", "mouth_left": "mouth_right"}
PUPPET_FACE = _layout(
    "puppet_face",
    (
        *("chin", "right_ear", "left_ear"),
        *("right_brow_outer", "right_brow_inner", "left_brow_inner", "left_brow_outer"),
        *("right_eye", "left_eye", "nose", "mouth_right", "mouth_left", "mouth_top", "mouth_bottom"),
        *("neck", "right_shoulder", "left_shoulder"),
    ),
    (
        *(("right_brow_outer", "right_brow_inner"), ("left_brow_inner", "left_brow_outer")),
        *(("mouth_right", "mouth_top"), ("mouth_top", "mouth_left")),
        *(("mouth_left", "mouth_bottom"), ("mouth_bottom", "mouth_right")),
        *(("right_ear", "chin"), ("chin", "left_ear"), ("right_shoulder", "neck"), ("neck", "left_shoulder")),
        *(("right_eye", "nose"), ("nose", "left_eye")),
    ),
    _MOUTH,
)
"""A drawn portrait; right and left are the person's own. Eyes are the middles of the irises."""

PUPPET_ANIMAL = _layout(
    "puppet_animal",
    (
        *("nose", "right_eye", "left_eye", "right_ear", "left_ear", "neck", "tail_root", "tail_tip"),
        *("right_front_shoulder", "right_front_knee", "right_front_paw"),
        *("left_front_shoulder", "left_front_knee", "left_front_paw"),
        *("right_hind_hip", "right_hind_knee", "right_hind_paw"),
        *("left_hind_hip", "left_hind_knee", "left_hind_paw"),
    ),
    (
        *(("nose", "neck"), ("neck", "tail_root"), ("tail_root", "tail_tip")),
        *_sides(*_HEAD, ("neck", "*_front_shoulder"), ("*_front_shoulder", "*_front_knee")),
        *_sides(("*_front_knee", "*_front_paw"), ("tail_root", "*_hind_hip")),
        *_sides(("*_hind_hip", "*_hind_knee"), ("*_hind_knee", "*_hind_paw")),
    ),
)
"""A drawn animal; right and left are the animal's own."""

PUPPET_KINDS: Mapping[str, Layout] = {"person": PUPPET_PERSON, "face": PUPPET_FACE, "animal": PUPPET_ANIMAL}
"""The joints of each kind of drawn puppet."""


@cache
def puppets_layout(kinds: tuple[str, ...]) -> Layout:
    """Return the joints of these kinds of puppets, one kind after the other, as their data set has them.

    Of one kind alone it is that kind's own layout. Raises ``KeyError`` when there is no such kind.
    """
    if len(kinds) == 1:
        return PUPPET_KINDS[kinds[0]]
    parts = {kind: PUPPET_KINDS[kind] for kind in kinds}
    return _layout(
        "puppet" if kinds == tuple(PUPPET_KINDS) else "puppet_" + "_".join(kinds),
        [f"{kind}.{point}" for kind, layout in parts.items() for point in layout.points],
        [
            (f"{kind}.{layout.points[a]}", f"{kind}.{layout.points[b]}")
            for kind, layout in parts.items()
            for a, b in layout.limbs
        ],
        {f"face.{a}": f"face.{b}" for a, b in _MOUTH.items()},
    )


PUPPET = puppets_layout(tuple(PUPPET_KINDS))
"""The joints of all kinds of puppets."""

LAYOUTS: Mapping[str, Layout] = {
    layout.name: layout
    for layout in (
        *(COCO17, COCO18, BODY25, MEDIAPIPE33, FACE68, FACE5),
        *(PUPPET, *PUPPET_KINDS.values()),
    )
}

MEANS: Mapping[str, tuple[str, ...]] = {
    "neck": ("right_shoulder", "left_shoulder"),
    "mid_hip": ("right_hip", "left_hip"),
    "right_eye": tuple(f"right_eye_{i}" for i in range(6)),
    "left_eye": tuple(f"left_eye_{i}" for i in range(6)),
    "nose_tip": ("bridge_3",),
    "right_mouth_corner": ("lips_outer_0",),
    "left_mouth_corner": ("lips_outer_6",),
}
"""Points that a layout may lack but that are the mean of others that it has."""


def layout_named(name: str) -> Layout:
    """Find a layout; several kinds of puppets as in ``puppet_face_animal``, too.

    Raises ``UserError`` when there is none of this name.
    """
    kinds = tuple(name.removeprefix("puppet_").split("_"))
    if name.startswith("puppet_") and len(kinds) > 1 and set(kinds) <= set(PUPPET_KINDS):
        return puppets_layout(kinds)
    if name not in LAYOUTS:
        raise UserError(f"there is no layout {name!r} of points; known are: {', '.join(LAYOUTS)}")
    return LAYOUTS[name]


def translation(source: Layout, target: Layout) -> tuple[tuple[int, ...], ...]:
    """For each point of ``target``, the points of ``source`` that it is the mean of; none: no counterpart."""
    places = {point: i for i, point in enumerate(source.points)}

    def origin(point: str) -> tuple[int, ...]:
        if point in places:
            return (places[point],)
        parts = MEANS.get(point, ())
        return tuple(places[part] for part in parts) if all(part in places for part in parts) else ()

    return tuple(origin(point) for point in target.points)
