"""Boxes linked over time, against figures whose paths are known."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from animate.annotate.frames import Numbered
from animate.annotate.tubes import LinkRules, boxes_by_frame, distinct, iou, link, scene_cuts, to_pixels
from animate.data.synthetic import PuppetIndex
from animate.sidecars import Header, Key, Sidecar, write_sidecar

RULES = LinkRules(overlap=0.3, max_gap=3)


def path(count, start=(10.0, 20.0), step=(2.0, 1.0), size=(30.0, 40.0)):
    """(count, 4) of a box that moves evenly."""
    corners = np.array(start) + np.arange(count)[:, None] * np.array(step)
    return np.concatenate([corners, corners + np.array(size)], axis=1)


def frames(*figures, count):
    """The boxes of each frame; a figure is (first frame, boxes)."""
    listed = [
        [boxes[t - first] for first, boxes in figures if first <= t < first + len(boxes)]
        for t in range(count)
    ]
    return [np.asarray(found, float).reshape(-1, 4) for found in listed]


def test_iou_in_closed_form():
    a = np.array([[0.0, 0, 2, 2], [5, 5, 6, 6]])
    b = np.array([[1.0, 0, 3, 2], [0, 0, 2, 2], [2, 0, 4, 2], [0.5, 0.5, 1.5, 1.5]])
    np.testing.assert_allclose(iou(a, b), [[1 / 3, 1, 0, 1 / 4], [0, 0, 0, 0]])
    assert iou(np.zeros((1, 4)), np.zeros((1, 4))) == 0  # boxes without area
    assert iou(np.empty((0, 4)), a).shape == (0, 2)


def test_two_figures_are_two_tubes_with_their_own_boxes():
    left, right = path(12), path(12, start=(200.0, 20.0), step=(-3.0, 0.0))
    shuffled = [f[::-1] if t % 2 else f for t, f in enumerate(frames((0, left), (0, right), count=12))]
    tubes = link(shuffled, RULES)
    assert [(tube.start, tube.stop) for tube in tubes] == [(0, 12), (0, 12)]
    by_place = sorted(tubes, key=lambda tube: tube.boxes[0, 0])
    np.testing.assert_array_equal(by_place[0].boxes, left)
    np.testing.assert_array_equal(by_place[1].boxes, right)


def test_a_loss_ends_a_tube_and_a_short_gap_does_not():
    whole = path(20)
    boxes = frames((0, whole), count=20)
    for t in (5, 6, 7):  # as many as may be missed
        boxes[t] = np.empty((0, 4))
    (tube,) = link(boxes, RULES)
    np.testing.assert_allclose(tube.boxes, whole)  # even movement is filled in exactly
    assert np.flatnonzero(~tube.seen).tolist() == [5, 6, 7]
    boxes[8] = np.empty((0, 4))
    assert [(tube.start, tube.stop) for tube in link(boxes, RULES)] == [(0, 5), (9, 20)]


def test_a_scene_cut_ends_a_tube_though_the_next_box_lies_right_there():
    still = path(10, step=(0.0, 0.0))
    tubes = link(frames((0, still), count=10), RULES, cuts={4})
    assert [(tube.start, tube.stop) for tube in tubes] == [(0, 4), (4, 10)]


def test_a_jump_begins_a_new_tube():
    boxes = frames((0, path(5)), (5, path(5, start=(300.0, 20.0))), count=10)
    assert [(tube.start, tube.stop) for tube in link(boxes, RULES)] == [(0, 5), (5, 10)]


def test_home_ends_a_tube_that_has_wandered_off():
    wandering = path(40, step=(2.0, 0.0))  # 30 wide: IoU with the first box is (30 - 2t) / (30 + 2t)
    tubes = link(frames((0, wandering), count=40), LinkRules(home=0.25))
    first_below = next(t for t in range(40) if (30 - 2 * t) / (30 + 2 * t) < 0.25)
    assert tubes[0].stop == tubes[1].start == first_below
    assert len(link(frames((0, wandering), count=40), LinkRules())) == 1


def test_the_nearest_box_goes_on_and_a_second_finding_is_dropped():
    main = path(6)
    doubled = [np.concatenate([f, f + 2.0]) for f in frames((0, main), count=6)]
    (tube,) = link(doubled, RULES)
    np.testing.assert_array_equal(tube.boxes, main)
    assert len(distinct(np.concatenate([main[:1], main[:1] + 25.0]))) == 2


def test_no_boxes_no_tubes():
    assert link([], RULES) == []
    assert link([np.empty((0, 4))] * 5, RULES) == []


@pytest.fixture(scope="module")
def scenes():
    """Frames of three puppets in three places, 12 each."""
    clips = PuppetIndex(train_clips=3, val_clips=1, test_clips=1, frames=12, size=64, seed=2).clips("train")
    images = [image for clip in clips for image in clip.reader.open(clip).frames(range(12), (64, 64))]
    return [Numbered(n, image, Fraction(n, 25)) for n, image in enumerate(images)]


def test_scene_cuts_are_where_the_scene_changes(scenes):
    assert scene_cuts(scenes) == {12, 24}


def test_moving_pictures_have_no_cuts(scenes):
    assert scene_cuts(scenes[:12]) == set()
    pan = np.random.default_rng(0).integers(0, 255, (64, 400, 3), np.uint8).repeat(4, 0).repeat(4, 1)
    panned = [Numbered(n, pan[:, 6 * n : 6 * n + 300], Fraction(n)) for n in range(30)]
    assert scene_cuts(panned) == set()


def test_to_pixels_covers_whole_pixels():
    # The centres of the corner pixels are at -1 and 1: from the first to the last pixel is the whole picture.
    np.testing.assert_allclose(to_pixels(np.array([[-1.0, -1, 1, 1, 0.9]]), (48, 64)), [[0, 0, 64, 48]])
    centre = np.array([[3 / 63 * 2 - 1, 5 / 47 * 2 - 1, 9 / 63 * 2 - 1, 7 / 47 * 2 - 1]])
    np.testing.assert_allclose(to_pixels(centre, (48, 64)), [[3, 5, 10, 8]])


def test_boxes_of_a_sidecar_go_to_their_frames(tmp_path):
    with write_sidecar(tmp_path / "a.npz") as writer:
        writer.add("boxes", np.array([[-1, -1, 1, 1, 1], [-1, -1, 0, 0, 1], [0, 0, 1, 1, 1]], np.float32))
        writer.add("frame", np.array([1, 3, 3]))
        writer.finish(Header(Key("faces", "a", "1", "c"), 5, (11, 21), 2))
    with Sidecar(tmp_path / "a.npz") as sidecar:
        boxes = boxes_by_frame(sidecar)
    assert [len(found) for found in boxes] == [0, 1, 0, 2, 0]
    np.testing.assert_allclose(boxes[3], [[0, 0, 11, 6], [10, 5, 21, 11]])
