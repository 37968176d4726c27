from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest
import torch

from animate.annotate.protocols import Pose
from animate.errors import UserError
from animate.pipelines.drive import (
    EncodedSource,
    drive,
    find_start_frame,
    find_start_frame_by_landmarks,
    render_batches,
    suitable_batch_size,
    to_pictures,
)
from animate.pipelines.framing import Box, to_model


def tensor(*pictures):
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() / 255


def uint8(prediction):
    return (prediction * 255).round().byte().permute(0, 2, 3, 1).numpy()


@torch.no_grad()
def direct(networks, source, driving, kp=None):
    """One frame by the model's own forward pass, without any of the pipeline."""
    found = networks.keypoint_detector
    kp_driving = found(tensor(driving)) if kp is None else kp
    return networks.generator(tensor(source), kp_source=found(tensor(source)), kp_driving=kp_driving)[
        "prediction"
    ]


def close(ours, expected):
    """Equal up to the rounding of one grey level."""
    assert np.abs(np.asarray(ours, int) - np.asarray(expected, int)).max() <= 1


def test_absolute_motion_is_the_model_s_forward_pass(networks, frames):
    results = list(drive(networks, frames[0], frames, relative=False, batch_size=4))
    assert len(results) == len(frames)
    for driving, result in zip(frames, results, strict=True):
        assert result.shape == (32, 32, 3)
        assert result.dtype == np.uint8
        close(result, uint8(direct(networks, frames[0], driving))[0])
    assert np.abs(results[0].astype(int) - results[-1]).max() > 5  # the model does react to the motion


def test_relative_motion_is_the_published_formula(networks, frames):
    source, found = frames[7], networks.keypoint_detector
    with torch.no_grad():
        ks, k0, kd = (found(tensor(picture)) for picture in (source, frames[0], frames[5]))
        kp = {
            "value": kd["value"] - k0["value"] + ks["value"],
            "jacobian": kd["jacobian"] @ torch.linalg.inv(k0["jacobian"]) @ ks["jacobian"],
        }
    result = list(drive(networks, source, frames))[5]
    close(result, uint8(direct(networks, source, None, kp))[0])
    assert np.abs(result.astype(int) - uint8(direct(networks, source, frames[5]))[0]).max() > 1


@pytest.mark.parametrize("batch_size", [1, 3, 11, 50])
def test_the_batch_size_does_not_matter(networks, frames, batch_size):
    reference = np.stack(list(drive(networks, frames[3], frames, batch_size=4)))
    close(np.stack(list(drive(networks, frames[3], frames, batch_size=batch_size))), reference)


def test_a_still_driving_video_leaves_the_pose_of_the_source(networks, frames):
    own = uint8(direct(networks, frames[4], frames[4]))[0]
    for result in drive(networks, frames[4], [frames[9]] * 3, adapt_scale=True):
        close(result, own)


def test_the_initial_frame_can_be_any(networks, frames):
    from_sixth = list(drive(networks, frames[2], frames, initial=frames[6]))
    close(from_sixth[6], uint8(direct(networks, frames[2], frames[2]))[0])
    forwards = list(drive(networks, frames[2], frames[6:]))
    close(np.stack(from_sixth[6:]), np.stack(forwards))
    backwards = list(drive(networks, frames[2], frames[6::-1]))
    close(np.stack(from_sixth[:7]), np.stack(backwards[::-1]))


def test_one_driving_frame_and_none(networks, frames):
    assert len(list(drive(networks, frames[0], frames[:1]))) == 1
    assert list(drive(networks, frames[0], [])) == []


@pytest.mark.parametrize("jacobian", ["shared", "none"])
def test_other_kinds_of_jacobian(make_networks, frames, jacobian):
    networks = make_networks(jacobian)
    close(
        list(drive(networks, frames[0], frames[3:5], relative=False))[1],
        uint8(direct(networks, frames[0], frames[4]))[0],
    )
    assert len(list(drive(networks, frames[0], frames[3:5]))) == 2


def test_pictures_of_any_size_are_cut_to_the_centre_square(networks, frames):
    wide = np.zeros((32, 60, 3), np.uint8)
    wide[:, 14:46] = frames[3]
    (ours,) = drive(networks, wide, [frames[5]], relative=False)
    (expected,) = drive(networks, frames[3], [frames[5]], relative=False)
    close(ours, expected)
    assert to_model(wide, 32, Box(14, 0, 32, 32)).tolist() == frames[3].tolist()


def test_training_mode_is_refused(make_networks, frames):
    with pytest.raises(ValueError, match=r"eval\(\)"):
        EncodedSource(make_networks("none").train(), frames[0])


def test_the_source_is_encoded_once(networks, frames, monkeypatch):
    calls = []
    encode = networks.generator.encode
    monkeypatch.setattr(
        networks.generator, "encode", lambda source: calls.append(len(source)) or encode(source)
    )
    assert len(list(drive(networks, frames[0], frames, batch_size=2))) == len(frames)
    assert calls == [1]


def test_gradients_are_off_inside_and_untouched_outside(networks, frames):
    stream = render_batches(EncodedSource(networks, frames[0]), frames, relative=True, batch_size=2)
    driving, prediction = next(stream)
    assert torch.is_grad_enabled()
    assert not torch.is_inference_mode_enabled()
    assert not prediction.requires_grad
    assert driving.shape == prediction.shape == (2, 3, 32, 32)


def test_only_a_batch_of_frames_is_alive(networks, frames):
    """However long the video: counted by weak references, not by time or by the process's size."""
    alive: set[int] = set()
    most = 0

    def video():
        nonlocal most
        for number in range(200):
            frame = frames[number % 11].copy()
            alive.add(number)
            weakref.finalize(frame, alive.discard, number)
            most = max(most, len(alive))
            yield frame

    count = sum(1 for _ in drive(networks, frames[0], video(), batch_size=5))
    gc.collect()
    assert count == 200
    assert most <= 11  # the batch in work, the one being read, and the initial frame


def test_start_frame_is_the_most_similar_pose(networks, frames):
    assert find_start_frame(networks, frames[7], iter(frames), batch_size=3) == 7
    assert find_start_frame(networks, frames[0], frames) == 0


def test_rounding_to_uint8():
    values = torch.tensor([-0.1, 0.0, 0.4999 / 255, 0.5001 / 255, 254.6 / 255, 1.0, 1.2])
    picture = to_pictures(values.expand(1, 3, 1, 7))
    assert picture[0, 0, :, 0].tolist() == [0, 0, 0, 1, 255, 255, 255]


@pytest.mark.parametrize(("size", "expected"), [(64, 8), (128, 4), (256, 1), (512, 1)])
def test_batches_on_a_cpu_stay_small(networks, monkeypatch, size, expected):
    monkeypatch.setitem(networks.arguments, "image_size", size)
    assert suitable_batch_size(networks) == expected


class Table:
    """Finds the points that a table gives for a picture's first pixel; none where it has no entry."""

    name = "table"

    def __init__(self, points):
        self.points = points

    def __call__(self, frames):
        found = [self.points.get(int(frame[0, 0, 0])) for frame in frames]
        values = [np.zeros((3, 2), np.float32) if points is None else points for points in found]
        there = np.array([[points is not None] * 3 for points in found])
        return Pose("table", np.stack(values), there, there.astype(np.float32))


def test_the_start_frame_by_landmarks_passes_over_frames_without_them():
    triangle = np.array([[0, 0], [0.5, 0], [0, 0.5]], np.float32)
    steep = np.array([[0, 0], [0.5, 0], [0, 0.9]], np.float32)
    finder = Table({0: triangle, 2: steep, 4: triangle / 2 + 0.1})
    frames = [np.full((4, 4, 3), number, np.uint8) for number in range(6)]
    assert find_start_frame_by_landmarks(finder, frames[0], frames[1:], batch_size=2) == 3
    assert find_start_frame_by_landmarks(finder, frames[2], frames) == 2
    with pytest.raises(UserError, match="table finds no landmarks in the source"):
        find_start_frame_by_landmarks(finder, frames[1], frames)
    with pytest.raises(UserError, match="table finds no landmarks in the driving frames"):
        find_start_frame_by_landmarks(finder, frames[0], [frames[1], frames[3]])
