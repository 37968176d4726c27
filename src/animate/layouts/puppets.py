"""The joints of drawn puppets."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from animate.layouts.bodies import COCO18, HEAD
from animate.layouts.layout import Layout, both_sides, make_layout

if TYPE_CHECKING:
    from collections.abc import Mapping

PUPPET_PERSON = make_layout(
    "puppet_person", COCO18.points, ((COCO18.points[a], COCO18.points[b]) for a, b in COCO18.limbs)
)
"""A drawn person: COCO-18, right and left being the person's own."""

_MOUTH = {"mouth_right": "mouth_left", "mouth_left": "mouth_right"}
PUPPET_FACE = make_layout(
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

PUPPET_ANIMAL = make_layout(
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
        *both_sides(*HEAD, ("neck", "*_front_shoulder"), ("*_front_shoulder", "*_front_knee")),
        *both_sides(("*_front_knee", "*_front_paw"), ("tail_root", "*_hind_hip")),
        *both_sides(("*_hind_hip", "*_hind_knee"), ("*_hind_knee", "*_hind_paw")),
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
    return make_layout(
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
