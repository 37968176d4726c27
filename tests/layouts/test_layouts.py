"""Layouts as data: order as published, mirror images, and translations between them."""

from itertools import permutations

import numpy as np
import pytest

from animate.data.synthetic import KINDS, PuppetIndex
from animate.errors import UserError
from animate.layouts import (
    BODY25,
    COCO17,
    COCO18,
    FACE68,
    FACE70,
    LAYOUTS,
    MEDIAPIPE33,
    PUPPET,
    layout_named,
    translation,
)

BODIES = (BODY25, COCO18, COCO17, MEDIAPIPE33)
# Positions in the documents that define the layouts.
PUBLISHED = {
    "body25": {"nose": 0, "neck": 1, "right_wrist": 4, "left_wrist": 7, "mid_hip": 8, "left_ankle": 14}
    | {"right_eye": 15, "left_ear": 18, "left_big_toe": 19, "left_heel": 21, "right_heel": 24},
    "coco18": {"neck": 1, "right_shoulder": 2, "left_hip": 11, "right_eye": 14, "left_ear": 17},
    "coco17": {"nose": 0, "left_eye": 1, "right_ear": 4, "left_shoulder": 5, "right_ankle": 16},
    "mediapipe33": {"left_eye": 2, "right_eye": 5, "left_ear": 7, "right_mouth": 10, "left_shoulder": 11}
    | {"left_wrist": 15, "right_thumb": 22, "left_hip": 23, "left_heel": 29, "right_big_toe": 32},
    "face68": {"jaw_8": 8, "right_brow_0": 17, "left_brow_4": 26, "bridge_3": 30, "nostrils_2": 33}
    | {"right_eye_0": 36, "left_eye_3": 45, "lips_outer_6": 54, "lips_inner_0": 60, "lips_inner_4": 64},
}
COUNTS = {"body25": 25, "coco18": 18, "coco17": 17, "mediapipe33": 33, "face68": 68, "face5": 5}


@pytest.mark.parametrize("name", PUBLISHED)
def test_points_stand_where_the_definition_says(name):
    layout = layout_named(name)
    assert {point: layout.index(point) for point in PUBLISHED[name]} == PUBLISHED[name]


@pytest.mark.parametrize("name", COUNTS)
def test_there_are_as_many_points_as_published(name):
    assert len(set(layout_named(name).points)) == COUNTS[name]


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_mirroring_twice_changes_nothing_and_exchanges_the_sides(layout):
    swap = np.array(layout.swap)
    np.testing.assert_array_equal(swap[swap], np.arange(len(layout.points)))
    for point, other in zip(layout.points, layout.swap, strict=True):
        for a, b in (("left", "right"), ("right", "left")):
            if a in point and point.removeprefix("face.") not in FACE68.points:
                assert layout.points[other] == point.replace(a, b)


def test_the_68_points_are_mirrored_as_published():
    swap = dict(enumerate(FACE68.swap))
    assert [swap[i] for i in (0, 8, 17, 21, 30, 31, 33)] == [16, 8, 26, 22, 30, 35, 33]
    assert [swap[i] for i in (36, 37, 38, 39, 40, 41)] == [45, 44, 43, 42, 47, 46]
    assert [swap[i] for i in (48, 51, 55, 57, 60, 62, 65, 66)] == [54, 51, 59, 57, 64, 62, 67, 66]


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_limbs_are_symmetric_and_join_two_points_once(layout):
    limbs = {frozenset(limb) for limb in layout.limbs}
    assert len(limbs) == len(layout.limbs)
    assert all(len(limb) == 2 for limb in limbs)
    if layout is not FACE68:  # its outlines run through the middle points in one direction
        assert {frozenset(layout.swap[i] for i in limb) for limb in limbs} == limbs


@pytest.mark.parametrize("layout", [*BODIES, PUPPET], ids=lambda x: x.name)
def test_limbs_reach_from_head_to_feet(layout):
    """Each figure's limbs make one connected drawing (the face puppet: a few)."""
    joined = {i for limb in layout.limbs for i in limb}
    for end in ("nose", "left_wrist", "right_ankle", "person.left_ear", "animal.tail_tip"):
        if end in layout.points:
            assert layout.index(end) in joined


@pytest.mark.parametrize(("source", "target"), list(permutations(BODIES, 2)), ids=lambda x: x.name)
def test_translations_keep_names(source, target):
    for point, origin in zip(target.points, translation(source, target), strict=True):
        names = {source.points[i] for i in origin}
        if point in source.points:
            assert names == {point}
        elif point in ("neck", "mid_hip"):
            part = "shoulder" if point == "neck" else "hip"
            assert names == {f"left_{part}", f"right_{part}"}
        else:
            assert not names


@pytest.mark.parametrize("kind", [kind.name for kind in KINDS])
def test_the_puppets_layouts_are_those_of_the_drawn_data(kind):
    own = layout_named(f"puppet_{kind}")
    index = PuppetIndex(kinds=[kind])
    assert index.joints == tuple(f"{kind}.{point}" for point in own.points)
    assert PuppetIndex(kinds=[k.name for k in KINDS]).joints == PUPPET.points


@pytest.mark.parametrize("body", [BODY25, COCO18], ids=lambda x: x.name)
def test_a_whole_body_is_body_face_and_hands(body):
    whole = layout_named(f"{body.name}_face_hands")
    count = len(body.points)
    assert len(whole.points) == count + 70 + 21 + 21
    assert whole.points[:count] == body.points
    assert whole.limbs[: len(body.limbs)] == body.limbs
    assert whole.detail == frozenset(range(count, len(whole.points)))
    # OpenPose's numbers of the points of the face that are drawn sparsely.
    drawn = {i - count for limb in whole.limbs for i in limb if count <= i < count + 70}
    assert drawn == {0, 8, 16, 27, 30, 33, 68, 69}
    left, right = whole.index("left_hand.ring_2"), whole.index("right_hand.ring_2")
    assert (whole.swap[left], right - left) == (right, 21)
    assert whole.points[whole.swap[whole.index("face.right_eye_0")]] == "face.left_eye_3"


def test_the_pupils_of_a_face_without_them_are_the_middles_of_its_eyes():
    origins = translation(FACE68, FACE70)
    assert origins[68:] == (tuple(range(36, 42)), tuple(range(42, 48)))


def test_several_kinds_of_puppets_have_a_layout_too():
    two = layout_named("puppet_animal_person")
    assert two.points == PuppetIndex(kinds=["animal", "person"]).joints
    with pytest.raises(UserError, match="puppet_animal_horse"):
        layout_named("puppet_animal_horse")


def test_an_unknown_layout_is_told():
    with pytest.raises(UserError, match=r"no layout 'coco16'.*coco17"):
        layout_named("coco16")
