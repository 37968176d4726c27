"""Poses to frames: the stream against one pass over the whole clip, and what stands for missing poses."""

from __future__ import annotations

from fractions import Fraction
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch

from animate.annotate.frames import Numbered
from animate.annotate.protocols import Pose
from animate.errors import UserError
from animate.layouts import FACE68, PUPPET_PERSON
from animate.modules.conditional_gan import LossWeights
from animate.modules.pose2vid import Pose2Vid
from animate.networks.pix2pixhd import Pix2PixHD
from animate.pipelines.posed import Dance, clock
from animate.pipelines.transfer import check, in_layout_of, plan, transfer
from animate.pipelines.usable import usable

SIZE, FRAMES = (32, 48), 7
JOINTS = len(PUPPET_PERSON.points)
SLIM = {"labels": 18, "skeleton": "puppet_person", "width": 4, "depth": 2, "blocks": 1}
FACE = {"face": True, "face_width": 4, "face_depth": 1, "face_blocks": 1, "face_side": 16}


def networks(**arguments) -> Pix2PixHD:
    torch.manual_seed(5)
    return Pix2PixHD(**(SLIM | arguments)).eval()


def poses(count: int = FRAMES, layout: str = "puppet_person", joints: int = JOINTS) -> Pose:
    points = np.random.default_rng(3).uniform(-0.8, 0.8, (count, joints, 2)).astype(np.float32)
    found = np.ones((count, joints), bool)
    return Pose(layout, points, found, found.astype(np.float32))


def at_once(model: Pix2PixHD, pose: Pose) -> np.ndarray:
    """The whole clip in one forward pass of the module that trains."""
    module = Pose2Vid(model, loss_weights=LossWeights(generator_gan=0, perceptual=0)).eval()
    points, found = torch.from_numpy(pose.points)[None], torch.from_numpy(pose.found)[None]
    frames = torch.zeros(1, len(pose.points), 3, *SIZE)
    with torch.no_grad():
        condition = module.condition({"frames": frames, "points": points, "visible": found})
        made = module.rollout(condition)[0]
        made = model.retouch(made, condition[0], points[0], found[0])
    return (made * 255).round().permute(0, 2, 3, 1).numpy().astype(int)


@pytest.mark.parametrize("batch_size", [1, 3, 8])
@pytest.mark.parametrize(
    "arguments",
    [{}, {"previous": True}, {"previous": True, **FACE}, {"labels": 3, "indexed": False}],
    ids=["frames", "previous", "face", "drawn"],
)
def test_the_stream_is_the_whole_clip(arguments, batch_size) -> None:
    model, pose = networks(**arguments), poses()
    made = np.stack([frame.picture for frame in transfer(model, pose, SIZE, batch_size=batch_size)])
    expected = at_once(model, pose)
    assert made.shape == (FRAMES, *SIZE, 3)
    assert np.abs(made.astype(int) - expected).max() <= 1
    assert (made[0] != made[1]).any()


def test_the_last_output_is_fed_back() -> None:
    model, pose = networks(previous=True), poses()
    whole = [frame.picture for frame in transfer(model, pose, SIZE)]
    last = Pose(pose.layout, pose.points[-1:], pose.found[-1:], pose.score[-1:])
    alone = next(transfer(model, last, SIZE)).picture
    assert (alone != whole[-1]).any()


def test_a_frame_is_there_before_the_next_batch_is_computed() -> None:
    """A long clip begins at once: nothing is made in advance but the batch."""
    model, calls = networks(), []
    model.generator.register_forward_hook(lambda *_: calls.append(1))
    list(islice(transfer(model, poses(2000), SIZE, batch_size=2), 3))
    assert len(calls) == 2


def test_the_label_is_shown_in_colours() -> None:
    pose = poses()
    frame = next(transfer(networks(), pose, SIZE))
    label = networks().draw(torch.from_numpy(pose.points[:1]), torch.from_numpy(pose.found[:1]), SIZE)
    np.testing.assert_array_equal((frame.label != 255).any(axis=-1), label[0, 0].numpy() > 0)


def test_a_pose_is_held_and_then_frames_are_marked() -> None:
    good = np.array([0, 0, 1, 0, 0, 0, 0, 1, 0], bool)
    shown, held, marked = plan(good, hold=2)
    assert shown.tolist() == [2, 2, 2, 2, 2, 2, 2, 7, 7]
    assert np.flatnonzero(held).tolist() == [3, 4, 8]
    assert np.flatnonzero(marked).tolist() == [0, 1, 5, 6]
    assert not plan(good, hold=0).held.any()


def test_a_pose_needs_four_joints_in_the_picture() -> None:
    pose = poses(3)
    pose.found[0, 4:] = False
    pose.found[1, 3:] = False
    pose.points[2, 3:] = 1.2
    assert usable(pose).tolist() == [True, False, False]


def test_face_points_are_no_joints() -> None:
    pose = Pose(
        "coco18_face_hands", np.zeros((1, 130, 2), np.float32), np.zeros((1, 130), bool), np.zeros((1, 130))
    )
    pose.found[:, 18:] = True
    assert usable(pose).tolist() == [False]


def test_what_does_not_suit_is_told() -> None:
    with pytest.raises(UserError, match="no skeletons"):
        check(networks(skeleton=""), SIZE)
    with pytest.raises(UserError, match="maps of instances"):
        check(networks(edges=True), SIZE)
    with pytest.raises(UserError, match=r"30x48 .* multiples of 4, at least 8"):
        check(networks(), (30, 48))
    with pytest.raises(UserError, match="the poses are face68, and the model was trained on puppet_person"):
        in_layout_of(networks(skeleton="puppet_person"), poses(2, "face68", len(FACE68.points)))


def test_times_of_an_even_clock_are_exact() -> None:
    fps = Fraction(30000, 1001)
    rounded = [round(float(0.5 + n / fps), 6) for n in range(100)]
    assert clock(rounded, fps) == [Fraction(1, 2) + n / fps for n in range(100)]
    uneven = [0.0, 0.04, 0.12]
    assert clock(uneven, Fraction(25)) == [0, Fraction(1, 25), Fraction(3, 25)]


def test_broken_frames_repeat_the_one_before() -> None:
    def read(start, stop):
        for number in (1, 3):
            yield Numbered(number, np.full((2, 2, 3), number, np.uint8), Fraction(number))

    dance = Dance(Path("d"), poses(6), (2, 2), [], Fraction(25), None, read)
    assert [int(picture.max()) for picture in dance.pictures(0, 6)] == [0, 1, 1, 3, 3, 3]
