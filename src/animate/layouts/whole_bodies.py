"""Bodies with faces and hands, as OpenPose finds them: the body, the face, the left and the right hand.

A point of a part is called by the part and its own name: ``face.jaw_8``, ``left_hand.thumb_4``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from animate.layouts.bodies import BODY25, COCO18
from animate.layouts.faces import FACE70, HAND21, SPARSE_FACE, face_mirror
from animate.layouts.layout import Layout, make_layout

if TYPE_CHECKING:
    from collections.abc import Iterable

HANDS = ("left_hand", "right_hand")


def _whole(body: Layout) -> Layout:
    points = (
        *body.points,
        *(f"face.{point}" for point in FACE70.points),
        *(f"{hand}.{point}" for hand in HANDS for point in HAND21.points),
    )
    limbs = (
        *((body.points[a], body.points[b]) for a, b in body.limbs),
        *_of_part("face", SPARSE_FACE),
        *(limb for hand in HANDS for limb in _of_part(hand, _named(HAND21))),
    )
    mirror = {f"face.{a}": f"face.{b}" for a, b in face_mirror().items()}
    detail = frozenset(range(len(body.points), len(points)))
    return make_layout(f"{body.name}_face_hands", points, limbs, mirror, detail)


def _named(layout: Layout) -> list[tuple[str, str]]:
    return [(layout.points[a], layout.points[b]) for a, b in layout.limbs]


def _of_part(part: str, limbs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(f"{part}.{a}", f"{part}.{b}") for a, b in limbs]


BODY25_FACE_HANDS = _whole(BODY25)
"""137 points."""
COCO18_FACE_HANDS = _whole(COCO18)
"""130 points."""
