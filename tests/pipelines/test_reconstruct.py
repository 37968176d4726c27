from __future__ import annotations

import numpy as np
import pytest
import torch

from animate.errors import UserError
from animate.pipelines.drive import drive
from animate.pipelines.reconstruct import reconstruct


def test_every_frame_is_the_first_one_moved(networks, frames):
    results = list(reconstruct(networks, iter(frames), batch_size=3))
    moved = list(drive(networks, frames[0], frames, relative=False, batch_size=3))
    assert len(results) == len(frames)
    for result, expected, target in zip(results, moved, frames, strict=True):
        np.testing.assert_array_equal(result.prediction, expected)
        np.testing.assert_array_equal(result.target, target)
        np.testing.assert_array_equal(result.source, frames[0])


def test_errors_are_mean_absolute_differences(networks, frames):
    first = np.float64(frames[0]) / 255
    for result, frame in zip(reconstruct(networks, frames), frames, strict=True):
        target = np.float64(frame) / 255
        assert result.copy_l1 == pytest.approx(np.abs(first - target).mean(), abs=1e-6)
        rounded = np.abs(np.float64(result.prediction) / 255 - target).mean()
        assert result.l1 == pytest.approx(rounded, abs=0.5 / 255)


def test_a_model_that_repeats_its_input_has_no_error(networks, frames, monkeypatch):
    """With the generator replaced by the truth, L1 is 0 while copying the first frame is not."""
    stack = torch.from_numpy(np.stack(frames)).permute(0, 3, 1, 2).float().div(255)
    truth = iter(stack.split(4))
    monkeypatch.setattr(networks.generator, "decode", lambda *_, **__: {"prediction": next(truth)})
    results = list(reconstruct(networks, frames, batch_size=4))
    assert [result.l1 for result in results] == [0.0] * len(frames)
    assert all(result.copy_l1 > 0 for result in results[1:])


def test_frames_are_stretched_as_in_training(networks, frames):
    wide = [np.repeat(frame, 2, axis=1) for frame in frames[:3]]
    for result, frame in zip(reconstruct(networks, wide), frames, strict=False):
        np.testing.assert_array_equal(result.target, frame)


def test_one_frame_and_none(networks, frames):
    (only,) = reconstruct(networks, frames[:1])
    assert only.copy_l1 == 0
    with pytest.raises(UserError, match="no frame"):
        list(reconstruct(networks, []))
