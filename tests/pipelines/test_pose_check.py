"""The check measures what is known: blur, moves, sizes and poses that were made so."""

import json

import cv2
import numpy as np
import pytest
from pose_clips import COCO17, SIZE, STANDING, backdrop, joints, picture, write_clip, write_poses

from animate.annotate.protocols import Pose
from animate.errors import UserError
from animate.pipelines.pose_set import pictures
from animate.pipelines.pose_set.check import Report, _jumps, advise, check, person_height, whole
from animate.pipelines.pose_set.check_sheet import check_sheet, overlay
from animate.pipelines.pose_set.coverage import NEAR, Shapes, distinct, most_different, uncovered
from animate.pipelines.pose_set.prepare import prepare
from animate.pipelines.pose_set.recipe import Recipe
from animate.pipelines.pose_set.video import Footage


def pose_of(places, found=None):
    """A pose of (N, 17, 2) in heights of the person, which is 1.2 halves of a picture high."""
    points = (np.asarray(places) * 1.2 + [0.1, 0.6]).astype(np.float32)
    found = np.ones(points.shape[:2], bool) if found is None else found
    return Pose("coco17", points, found, found.astype(np.float32))


def arms(*lifts):
    """Standing with the left arm lifted by these shares."""
    poses = np.repeat(STANDING[None], len(lifts), axis=0)
    left = [COCO17.index("left_elbow"), COCO17.index("left_wrist")]
    poses[:, left, 1] -= np.array(lifts)[:, None] * [0.4, 0.9]
    return poses


def shapes(places, **options):
    return Shapes(pose_of(places, **options), 1.0, 1.2)


# -- poses


def test_distances_are_means_over_joints_in_heights():
    apart = shapes(arms(0.0)).distances(shapes(arms(0.0, 1.0)))
    np.testing.assert_allclose(apart, [[0.0, (0.4 + 0.9) / 13]], atol=1e-6)


def test_the_place_in_the_picture_does_not_count():
    moved = arms(0.5) + np.array([0.7, -0.2])
    assert shapes(arms(0.5)).distances(shapes(moved)).max() < 1e-6


def test_joints_that_are_missing_in_one_do_not_count():
    found = np.ones((1, 17), bool)
    found[0, COCO17.index("left_wrist")] = False
    apart = shapes(arms(0.0)).distances(shapes(arms(1.0), found=found))
    np.testing.assert_allclose(apart, [[0.4 / 12]], atol=1e-6)
    found[0, [i for i, name in enumerate(COCO17.points) if "hip" not in name]] = False
    assert np.isinf(shapes(arms(0.0)).distances(shapes(arms(0.0), found=found))).all()


def test_poses_that_were_never_shown_are_named_the_farthest_first():
    step = NEAR / ((0.4 + 0.9) / 13)
    target = shapes(arms(0.0, 0.1))
    source = shapes(arms(0.05, 1.4, 0.1 + 0.9 * step, 1.0))
    assert uncovered(target, source) == [1, 3]
    assert uncovered(source, source) == []
    nobody = pose_of(arms(0.0), found=np.zeros((1, 17), bool))
    assert uncovered(Shapes(nobody, 1.0, 1.2), source) == [0, 1, 2, 3] or not len(source.numbers)


def test_the_most_different_poses_are_chosen():
    lifts = (1.0, 1.01, 1.02, 0.99, 0.0, 0.01, 0.5, 0.51)
    assert most_different(shapes(arms(*lifts)), 3) == [0, 4, 6]  # lifted, hanging, then between
    assert sorted(most_different(shapes(arms(*lifts)), 20)) == list(range(8))
    found = np.ones((3, 17), bool)
    found[1, [i for i, name in enumerate(COCO17.points) if "hip" not in name]] = False
    assert most_different(shapes(arms(0.0, 1.0, 0.1), found=found), 2) == [0, 2]
    assert most_different(shapes(arms()), 8) == []


def test_distinct_poses_are_counted():
    step = 1.05 * NEAR / ((0.4 + 0.9) / 13)
    assert distinct(shapes(arms(*([0.0] * 50)))) == 1
    assert distinct(shapes(arms(0.0, step, 2 * step, 0.1 * step, 2.1 * step))) == 3


def test_only_some_poses_are_compared_evenly_spaced():
    many = Shapes(pose_of(arms(*np.linspace(0, 1, 100))), 1.0, 1.2, most=5)
    assert many.numbers.tolist() == [0, 25, 50, 74, 99]


def test_height_and_wholeness():
    pose = pose_of(arms(0.0, 0.5, 0.0))
    assert person_height(pose) == pytest.approx(1.2, rel=1e-5)
    pose.points[1, COCO17.index("left_wrist"), 1] = -1.01
    pose.found[2, COCO17.index("right_knee")] = False
    assert whole(pose).tolist() == [True, False, False]


# -- pictures


def test_sharpness_is_the_variance_of_the_laplacian_and_falls_with_blur():
    picture_ = backdrop(1)
    everywhere = pictures.Region(0, 0, picture_.shape[1], picture_.shape[0])
    p = np.pad(picture_.astype(float), 1, mode="reflect")
    laplacian = p[:-2, 1:-1] + p[2:, 1:-1] + p[1:-1, :-2] + p[1:-1, 2:] - 4 * p[1:-1, 1:-1]
    assert pictures.sharpness(picture_, everywhere) == pytest.approx(laplacian.var(), rel=1e-6)
    blurred = [pictures.sharpness(cv2.GaussianBlur(picture_, (0, 0), s), everywhere) for s in (0.5, 1, 2, 4)]
    assert sorted(blurred, reverse=True) == blurred
    part = pictures.Region(10, 20, 40, 60)
    assert pictures.sharpness(picture_, part) == pytest.approx(
        cv2.Laplacian(picture_[20:60, 10:40], cv2.CV_64F).var()
    )


@pytest.mark.parametrize("moved", [0.0, 0.6, 3.0])
def test_a_move_of_the_camera_is_measured_on_the_background(moved):
    scene = np.random.default_rng(0).integers(0, 255, (60, 80)).astype(np.uint8)
    scene = cv2.resize(scene, None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC)
    shift = np.float32([[1, 0, moved], [0, 1, 0]])
    after = cv2.warpAffine(
        scene, shift, scene.shape[::-1], flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT
    )
    after[80:160, 100:200] = np.roll(after, 40, axis=0)[80:160, 100:200]  # somebody moves there
    background = pictures.outside(scene.shape, pictures.Region(100, 80, 200, 160))
    assert pictures.shift(scene, after, background) == pytest.approx(moved, abs=0.05)


def test_a_plain_background_cannot_be_followed():
    plain = np.full((64, 64), 90, np.uint8)
    assert pictures.shift(plain, plain, np.ones((64, 64), bool)) is None
    assert pictures.busyness(plain, np.ones((64, 64), bool)) == 0.0
    assert pictures.busyness(plain, np.zeros((64, 64), bool)) == 0.0


def test_busy_and_changing_backgrounds():
    stripes = np.zeros((64, 64), np.uint8)
    stripes[:, ::8] = 255
    assert pictures.busyness(stripes, np.ones((64, 64), bool)) > 0.2
    background = pictures.outside((64, 64), pictures.Region(0, 0, 32, 64), None)
    assert background.mean() == 0.5
    brighter = stripes // 2 + 10
    assert pictures.change(stripes, brighter, background) == pytest.approx(
        np.abs(stripes.astype(float) - brighter)[:, 32:].mean()
    )


def test_the_region_of_a_person_has_a_margin_and_ends_at_the_edges():
    pose = Pose(
        "coco17", np.zeros((2, 17, 2), np.float32), np.zeros((2, 17), bool), np.zeros((2, 17), np.float32)
    )
    pose.found[0, :2] = True
    pose.points[0, :2] = [[-0.5, -0.5], [3.0, 0.5]]
    left, top, right, bottom = pictures.region(pose, 0, (101, 101))
    assert (left, top, right, bottom) == (16, 16, 101, 83)
    assert pictures.region(pose, 1, (101, 101)) is None


# -- data sets


def make(folder, name, count, draw, away=(), role="target"):
    video = write_clip(folder / f"{name}.mp4", count, draw)
    poses = write_poses(folder / f"{name}.npy", count, away)
    recipe = Recipe(size=SIZE, poses=poses, role=role)
    return prepare(Footage.open(video, recipe), folder / name, recipe)


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sets")
    scene = backdrop()
    return {
        "still": make(folder, "still", 60, lambda n: picture(n, scene), away=[5, 50]),
        "panned": make(folder, "panned", 30, lambda n: picture(n, scene, moved=1.5 * n)),
        "blurred": make(folder, "blurred", 30, lambda n: cv2.GaussianBlur(picture(n, scene), (0, 0), 4)),
    }


def test_a_report_of_a_data_set(sets):
    report = check(sets["still"], sets["panned"])
    assert (report.role, report.frames, report.seconds) == ("target", 60, 2.4)
    assert report.found == pytest.approx(58 / 60)
    assert report.skipped == {"no person found": 2}
    assert report.whole == pytest.approx(58 / 60)
    assert report.height == pytest.approx(60 / SIZE[0], rel=0.02)
    assert report.jumps == 0
    assert report.camera < 0.05
    assert (report.source_frames, report.uncovered) == (30, [])
    assert report.verdict == "not good enough" if report.distinct < 5 else "usable"
    json.dumps(report.to_json())


def test_moves_and_blur_are_seen(sets):
    panned, blurred, still = (check(sets[name]) for name in ("panned", "blurred", "still"))
    assert panned.camera == pytest.approx(100 * 1.5 / SIZE[1], rel=0.1)
    assert any("camera moves" in advice.text for advice in panned.advice)
    assert not any("camera moves" in advice.text for advice in still.advice)
    assert blurred.sharpness < 0.2 * still.sharpness
    assert blurred.blurred == 1.0
    assert any("are blurred" in advice.text for advice in blurred.advice)


def test_a_sheet_shows_poses_and_what_is_missing(sets):
    report = check(sets["still"])
    plain = check_sheet(sets["still"], report)
    report.uncovered = [1, 2]
    more = check_sheet(sets["still"], report, sets["panned"])
    assert more.shape[0] > plain.shape[0]
    assert (more[: plain.shape[0] - 8] == plain[:-8]).all()


def test_an_overlay_changes_pixels_along_the_limbs_only():
    image = np.full((*SIZE, 3), 90, np.uint8)
    places = joints(0)[:, :2] * 2 / [SIZE[1] - 1, SIZE[0] - 1] - 1
    pose = Pose(
        "coco17", places[None].astype(np.float32), np.ones((1, 17), bool), np.ones((1, 17), np.float32)
    )
    changed = (overlay(image, pose, 0) != image).any(axis=-1)
    lines = np.zeros(SIZE, np.uint8)
    for a, b in COCO17.limbs:
        ends = np.round(joints(0)[[a, b], :2]).astype(int).tolist()
        cv2.line(lines, ends[0], ends[1], 1, 9)
    assert changed.any()
    assert not (changed & (lines == 0)).any()


def test_cuts_are_seen():
    pose = pose_of(arms(*([0.0] * 10)))
    pose.points[5:] += [1.0, 0.0]
    assert _jumps(pose, 1.0, 1.2) == 1


GOOD = {
    "role": "target",
    "frames": 4000,
    "seconds": 160.0,
    "found": 1.0,
    "whole": 0.99,
    "skipped": {},
    "height": 0.7,
    "jumps": 0,
    "distinct": 80,
    "sharpness": 700.0,
    "blurred": 0.0,
    "camera": 0.01,
    "light": 2.0,
    "busy": 0.04,
}
WORSE = {
    "found": (0.4, "a usable pose is found in 40%", True),
    "whole": (0.6, "the whole body is in the frame in 60%", False),
    "frames": (300, "300 frames are few", False),
    "height": (0.15, "the person is small, 15%", True),
    "jumps": (500, "500 times the person is suddenly elsewhere", True),
    "distinct": (3, "only 3 poses differ", True),
    "blurred": (0.5, "50% of the frames are blurred", False),
    "camera": (0.3, "the camera moves, 0.30 %", False),
    "light": (30.0, "the background changes by 30 grey levels", False),
    "busy": (0.4, "the background is busy, 40%", False),
}


def test_nothing_to_say_of_a_good_one():
    assert advise(Report(**GOOD)) == []
    assert Report(**GOOD).verdict == "good"


@pytest.mark.parametrize("name", WORSE)
def test_each_thing_that_is_not_good_is_told_by_itself(name):
    value, text, serious = WORSE[name]
    report = Report(**GOOD | {name: value})
    report.advice = advise(report)
    assert [advice.serious for advice in report.advice] == [serious]
    assert text in report.advice[0].text
    assert report.verdict == ("not good enough" if serious else "usable")


def test_poses_that_are_missing_are_told_with_their_share():
    report = Report(**GOOD | {"source_frames": 100, "uncovered": list(range(30))})
    assert "30% of the source's poses were never shown" in advise(report)[0].text


def test_without_feet_there_is_nothing_to_compare_with(tmp_path, sets):
    cut_off = [COCO17.index("left_ankle"), COCO17.index("right_ankle")]

    def upper(number):
        places = joints(number)
        places[cut_off, 2] = 0.0
        return places

    video = write_clip(tmp_path / "upper.mp4", 20)
    poses = write_poses(tmp_path / "upper.npy", 20, draw=upper)
    recipe = Recipe(size=SIZE, poses=poses)
    report = check(prepare(Footage.open(video, recipe), tmp_path / "upper", recipe), sets["still"])
    assert (report.source_frames, report.whole, report.height) == (0, 0.0, 0.0)
    assert any("the whole body is in the frame in 0%" in advice.text for advice in report.advice)


def test_a_data_set_without_files_is_told(sets, tmp_path):
    made = sets["still"]
    gone = type(made)(
        **{name: getattr(made, name) for name in made.__dataclass_fields__} | {"folder": tmp_path}
    )
    with pytest.raises(UserError, match="its poses are missing"):
        check(gone)
