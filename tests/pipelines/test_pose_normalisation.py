"""Normalisation on made-up skeletons, whose size, place and perspective are known."""

import numpy as np
import pytest

from animate.annotate.protocols import Pose
from animate.errors import UserError
from animate.layouts import BODY25, COCO17, COCO18, FACE5
from animate.pipelines.pose_normalisation import (
    BEYOND,
    EXTREME,
    NORMALISATIONS,
    Filmed,
    frame_by_frame,
    globally,
    ground,
    leave,
    normalised,
)

NOSE, RIGHT, LEFT = (COCO18.index(name) for name in ("nose", "right_ankle", "left_ankle"))
STANDING = {
    "nose": (0, -1.0),
    "neck": (0, -0.85),
    "eye": (0.03, -1.04),
    "ear": (0.07, -1.0),
    "shoulder": (0.13, -0.85),
    "elbow": (0.2, -0.65),
    "wrist": (0.22, -0.45),
    "hip": (0.09, -0.5),
    "knee": (0.09, -0.25),
    "ankle": (0.09, 0.0),
}
SIDES = [-1 if name.startswith("right") else 1 for name in COCO18.points]
TEMPLATE = np.array([STANDING[name.split("_")[-1]] for name in COCO18.points]) * np.stack(
    [SIDES, np.ones(18)], 1
)
"""A person of height 1 on its feet, y down."""


class Camera:
    """Sees a person of some height on a floor: what is nearer is lower in the picture and larger.

    Heights in halves of the picture's height; ``range`` are the y of the feet at the far and the near end.
    """

    def __init__(self, far, near, height_far, height_near, aspect=1.0):
        self.ends, self.heights, self.aspect = (far, near), (height_far, height_near), aspect

    def toe(self, share):
        far, near = self.ends
        return far + share * (near - far)

    def height(self, share):
        far, near = self.heights
        return far + share * (near - far)  # under perspective both fall with 1 / distance

    def film(self, share, across, crouch, swing):
        """Poses at these shares of the way from far to near; ``across`` in heights of the person."""
        shape = TEMPLATE[None] * np.stack([np.ones_like(crouch), 1.0 - crouch], -1)[:, None]
        shape = shape + swing[:, None, None] * np.array([1.0, 0.0]) * (TEMPLATE[:, 1:] < -0.4)
        height = self.height(share)[:, None, None]
        points = shape * height
        points[..., 0] += across[:, None] * self.height(share)[:, None]
        points[..., 1] += self.toe(share)[:, None]
        points[..., 0] /= self.aspect
        found = np.ones(points.shape[:2], bool)
        return Filmed(Pose("coco18", points.astype(np.float32), found, found.astype(np.float32)), self.aspect)


def acts(count, seed, evenly=False):
    """Where a person goes and what it does: places, steps aside, crouches in a fifth of the frames."""
    rng = np.random.default_rng(seed)
    share = np.linspace(0, 1, count) if evenly else 0.5 - 0.5 * np.cos(np.linspace(0, 12 * np.pi, count))
    crouch = np.where(rng.random(count) < 0.2, rng.uniform(0.1, 0.5, count), 0.0)
    return share, rng.uniform(-0.5, 0.5, count), crouch, rng.uniform(-0.1, 0.1, count)


SOURCE = Camera(0.2, 0.7, 0.8, 1.2)
TARGETS = {
    "taller": Camera(0.3, 0.7, 1.12, 1.68),
    "smaller and higher up": Camera(-0.1, 0.2, 0.5, 0.7),
    "steeper perspective": Camera(0.2, 0.6, 0.7, 1.1),
    "flatter perspective": Camera(0.2, 0.6, 0.9, 1.25),
    "another aspect": Camera(0.3, 0.7, 1.12, 1.68, aspect=0.5),
    "itself": SOURCE,
}


def far_from(one, other, height):
    """Largest distance of any joint, as a share of the person's height."""
    return float((np.linalg.norm(one - other, axis=-1) / height[:, None]).max())


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.parametrize("evenly", [True, False])
def test_poses_take_the_targets_size_place_and_perspective(name, evenly):
    """Other lengths, other moments, other crouches: what counts is where the person can be and how tall."""
    camera = TARGETS[name]
    doing = acts(700, seed=1, evenly=evenly)
    target = camera.film(*acts(1100, seed=2, evenly=evenly))
    got = normalised(target, SOURCE.film(*doing))
    share = doing[0]
    truth = camera.film(*doing).pose
    units = [camera.aspect, 1.0]
    assert far_from(got.points * units, truth.points * units, camera.height(share)) < 0.01
    heights = got.points[:, [RIGHT, LEFT], 1].mean(1) - got.points[:, NOSE, 1]
    np.testing.assert_allclose(heights, camera.height(share) * (1 - doing[2]), rtol=0.01)


def test_a_known_scale_and_shift_alone_are_found():
    """Without depth: the same dance on the spot, twice as small and higher; feet lift a little."""
    share, across, crouch, swing = acts(600, seed=3)
    flat = Camera(0.6, 0.64, 1.3, 1.3), Camera(0.1, 0.12, 0.65, 0.65)
    got = normalised(flat[1].film(share, across, crouch, swing), flat[0].film(share, across, crouch, swing))
    truth = flat[1].film(share, across, crouch, swing).pose
    assert far_from(got.points, truth.points, np.full(600, 0.65)) < 0.01


def test_a_few_wrong_poses_hardly_matter():
    camera = TARGETS["taller"]
    doing = acts(1000, seed=4)
    source, target = SOURCE.film(*doing), camera.film(*acts(1000, seed=5))
    right = normalised(target, source).points.copy()
    rng = np.random.default_rng(6)
    for clip in (source, target):
        clip.pose.points[rng.integers(1000, size=8)] = rng.uniform(-3, 3, (8, 18, 2))
    wrong = normalised(target, source).points
    untouched = np.median(np.linalg.norm(wrong - right, axis=-1).max(axis=1))
    assert untouched < 0.015


def test_it_is_the_formula():
    """Each number of the published rule, written out."""
    camera = TARGETS["steeper perspective"]
    doing = acts(700, seed=1)
    source, target = SOURCE.film(*doing), camera.film(*acts(1100, seed=2))

    def toes(clip):
        return clip.pose.points[:, [RIGHT, LEFT], 1].max(1).astype(float)

    def heights(clip):
        return np.abs(clip.pose.points[:, NOSE, 1] - clip.pose.points[:, [RIGHT, LEFT], 1].mean(1)).astype(
            float
        )

    def lines(toe):
        near, median = np.percentile(toe, EXTREME), np.median(toe)
        candidates = [y for y in toe if y < median and median - y < 0.5 * (near - median)]
        return near, np.percentile(candidates, 100 - EXTREME)

    def tall(clip, line, span):
        toe, height = toes(clip), heights(clip)
        return np.percentile(
            [h for y, h in zip(toe, height, strict=True) if abs(y - line) <= 0.05 * span], 95
        )

    near_s, far_s = lines(toes(source))
    near_t, far_t = lines(toes(target))
    assert near_s - far_s > near_t - far_t  # so the target's range stays
    # Poses before and behind a line count here as they are, so the result is off by the slope in the band.
    scale_near = tall(target, near_t, near_t - far_t) / tall(source, near_s, near_s - far_s)
    scale_far = tall(target, far_t, near_t - far_t) / tall(source, far_s, near_s - far_s)
    share = (toes(source) - far_s) / (near_s - far_s)
    assert share.min() > -BEYOND
    scale = scale_far + share * (scale_near - scale_far)
    moved = far_t + share * (near_t - far_t)
    expected = source.pose.points.astype(float)
    expected[..., 0] *= scale[:, None]
    expected[..., 1] = moved[:, None] + (expected[..., 1] - toes(source)[:, None]) * scale[:, None]
    np.testing.assert_allclose(normalised(target, source).points, expected, atol=0.03)


def test_a_wider_target_is_narrowed_about_its_middle():
    narrow = Camera(0.5, 0.6, 1.0, 1.0)
    wide = Camera(-0.2, 0.8, 1.0, 1.0)
    doing = acts(600, seed=7)
    source, target = narrow.film(*doing), wide.film(*acts(600, seed=8))
    got = normalised(target, source).points[:, [RIGHT, LEFT], 1].max(1)
    near, far = ground(target.pose.points[:, RIGHT, 1].astype(float))
    own = source.pose.points[:, RIGHT, 1]
    near_s, far_s = ground(own.astype(float))
    expected = (near + far) / 2 + own - (near_s + far_s) / 2
    np.testing.assert_allclose(got, expected, atol=0.01)


def test_a_jump_keeps_its_height_at_the_new_size():
    """Feet in the air are no depth: beyond the bound the person does not shrink any further."""
    doing = acts(800, seed=9)
    source, target = SOURCE.film(*doing), TARGETS["taller"].film(*acts(800, seed=10))
    jump = Pose(*(getattr(source.pose, name) for name in ("layout", "points", "found", "score")))
    jump.points[400] -= [0.0, 0.9]
    high = Filmed(Pose("coco18", jump.points.copy(), jump.found, jump.score), 1.0)
    high.pose.points[401] = high.pose.points[400] - np.array([0.0, 0.2], np.float32)
    moves = globally(target, high)
    assert moves.scale[400] == moves.scale[401]
    got = normalised(target, high).points
    assert got[400, RIGHT, 1] - got[401, RIGHT, 1] == pytest.approx(0.2 * moves.scale[400], rel=1e-4)


def test_a_frame_without_feet_is_moved_like_the_one_before():
    source, target = SOURCE.film(*acts(300, seed=11)), TARGETS["taller"].film(*acts(300, seed=12))
    source.pose.found[[0, 1, 50, 51], RIGHT] = source.pose.found[[0, 1, 50, 51], LEFT] = False
    moves = globally(target, source)
    for lost, taken in ((0, 2), (1, 2), (50, 49), (51, 49)):
        for values in (moves.scale, moves.foot, moves.shift):
            assert values[lost] == values[taken]
    got = normalised(target, source)
    np.testing.assert_array_equal(got.found, source.pose.found)
    assert not got.points[0, RIGHT].any()


def test_one_foot_is_enough_to_stand_on():
    source, target = SOURCE.film(*acts(300, seed=13)), TARGETS["taller"].film(*acts(300, seed=14))
    whole = normalised(target, source)
    source.pose.found[20, LEFT] = False
    np.testing.assert_allclose(normalised(target, source).points[20, NOSE], whole.points[20, NOSE], atol=1e-3)


@pytest.mark.parametrize("how", NORMALISATIONS.values(), ids=NORMALISATIONS)
def test_the_same_clips_give_the_same_poses(how):
    source, target = SOURCE.film(*acts(200, seed=15)), TARGETS["taller"].film(*acts(200, seed=16))
    np.testing.assert_array_equal(
        normalised(target, source, how).points, normalised(target, source, how).points
    )


@pytest.mark.filterwarnings("error")
def test_frame_by_frame_matches_limbs_and_the_usual_line():
    share, across, _, swing = acts(400, seed=17)
    upright = np.zeros(400)
    target = Camera(0.5, 0.5, 1.5, 1.5, aspect=2.0).film(share, across, upright, swing)
    source = SOURCE.film(share, across, upright, swing)
    target.pose.found[:, COCO18.index("left_ear")] = False  # a limb that the target never shows
    got = normalised(target, source, frame_by_frame)
    heights = got.points[:, RIGHT, 1] - got.points[:, NOSE, 1]
    np.testing.assert_allclose(heights, 1.5, rtol=0.02)
    np.testing.assert_allclose(got.points[:, RIGHT, 1], 0.5, atol=1e-3)
    across_again = np.ptp(got.points[..., 0], axis=1) * 2.0 / 1.5
    np.testing.assert_allclose(across_again, np.ptp(TEMPLATE[:, 0]), atol=0.15)


def test_leaving_is_leaving_also_between_aspects():
    source = SOURCE.film(*acts(20, seed=18))
    np.testing.assert_array_equal(normalised(source, source, leave).points, source.pose.points)
    wide = Filmed(source.pose, 2.0)
    got = normalised(source, wide, leave)
    np.testing.assert_allclose(got.points[..., 0], source.pose.points[..., 0] * 2.0, rtol=1e-6)


def test_layouts_may_differ():
    source, target = SOURCE.film(*acts(200, seed=19)), TARGETS["taller"].film(*acts(200, seed=20))
    order = [COCO18.index(name) for name in COCO17.points]
    seventeen = Pose(
        "coco17", target.pose.points[:, order], target.pose.found[:, order], target.pose.score[:, order]
    )
    np.testing.assert_array_equal(
        normalised(Filmed(seventeen, 1.0), source).points, normalised(target, source).points
    )


def test_what_cannot_be_measured_is_told():
    good = SOURCE.film(*acts(20, seed=21))
    nobody = Pose(
        "coco18", np.zeros((9, 18, 2), np.float32), np.zeros((9, 18), bool), np.zeros((9, 18), np.float32)
    )
    with pytest.raises(UserError, match=r"the target: in no frame are nose and both ankles found.*'none'"):
        globally(Filmed(nobody, 1.0), good)
    with pytest.raises(UserError, match=r"the source: in no frame"):
        globally(good, Filmed(nobody, 1.0))
    with pytest.raises(UserError, match=r"the source: no pose in it has a foot"):
        frame_by_frame(good, Filmed(nobody, 1.0))
    face = Pose("face5", np.zeros((9, 5, 2), np.float32), np.ones((9, 5), bool), np.ones((9, 5), np.float32))
    assert FACE5.points
    assert BODY25.points
    with pytest.raises(UserError, match=r"layout face5 have no nose"):
        globally(Filmed(face, 1.0), good)
    assert leave(Filmed(nobody, 1.0), good).scale.tolist() == [1.0] * 20
