"""The one-euro filter of driving keypoints."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from animate.annotate.protocols import Pose
from animate.pipelines.drive import drive
from animate.pipelines.keypoint_smoothing import OneEuro
from animate.pipelines.pose_smoothing import one_euro

FPS = 25.0


def keypoints(values):
    """Places, and Jacobians that move likewise."""
    return {"value": values, "jacobian": torch.eye(2) + values[..., None] * values[..., None, :]}


def trembling(frames=60):
    """Three points: at rest, at rest, and across the picture and back; with noise."""
    torch.manual_seed(0)
    true = torch.zeros(frames, 3, 2)
    true[:, 2] = torch.sin(torch.linspace(0, 6.0, frames))[:, None]
    return true, true + 0.02 * torch.randn_like(true)


def test_it_is_the_filter_that_poses_go_through():
    _, noisy = trembling()
    found = np.ones(noisy.shape[:2], bool)
    pose = Pose("three points", noisy.numpy().astype(np.float64), found, found.astype(np.float32))
    expected = one_euro(pose, FPS).points
    made = OneEuro(FPS)({"value": noisy.double()})["value"]
    torch.testing.assert_close(made, torch.from_numpy(expected))


def test_batches_do_not_matter():
    _, noisy = trembling()
    whole, parts = OneEuro(FPS)(keypoints(noisy)), OneEuro(FPS)
    chunks = [parts(keypoints(chunk)) for chunk in noisy.split([1, 7, 20, 32])]
    for name, value in whole.items():
        torch.testing.assert_close(torch.cat([chunk[name] for chunk in chunks]), value)


def test_what_rests_is_calmed_and_what_moves_is_followed():
    true, noisy = trembling()
    made = OneEuro(FPS)(keypoints(noisy))["value"]
    acceleration = [points.diff(n=2, dim=0).abs().mean((0, 2)) for points in (noisy, made)]
    assert (acceleration[1] < torch.tensor([0.3, 0.3, 0.7]) * acceleration[0]).all()
    assert (made[:, :2] - true[:, :2]).abs().mean() < 0.7 * (noisy[:, :2] - true[:, :2]).abs().mean()
    assert (made[:, 2] - true[:, 2]).abs().max() < 0.12


def test_still_keypoints_stay_to_the_bit_and_nonsense_is_refused():
    still = keypoints(torch.rand(1, 4, 2).expand(9, -1, -1))
    for name, value in OneEuro(FPS)(still).items():
        torch.testing.assert_close(value, still[name], rtol=0, atol=0)
    with pytest.raises(ValueError, match="frames per second"):
        OneEuro(0)


def test_driving_goes_through_it(networks, frames):
    plain = list(drive(networks, frames[0], frames, batch_size=3))
    smooth = list(drive(networks, frames[0], frames, batch_size=3, smoothing=OneEuro(FPS)))
    np.testing.assert_array_equal(plain[0], smooth[0])
    assert not np.array_equal(plain[5], smooth[5])
