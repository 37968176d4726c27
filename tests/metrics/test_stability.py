"""Keypoint stability: with detectors whose equivariance is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from animate.metrics.stability import KeypointStability, similarities
from animate.ops.grid import gaussian_maps, pixel_grid

SIZE = (48, 80)
HEIGHT, WIDTH = SIZE
CPU = torch.device("cpu")


def spots(n: int) -> torch.Tensor:
    """N pictures with a round spot in each channel, no two alike; black elsewhere."""
    places = torch.rand(n, 3, 2, generator=torch.Generator().manual_seed(2)) - 0.5
    return gaussian_maps(places, SIZE, variance=0.004)


def centroids(pictures: torch.Tensor) -> torch.Tensor:
    """Find the spots: the mean place in each channel moves as the picture moves."""
    weights = pictures.flatten(2)
    places = pixel_grid(*pictures.shape[-2:]).flatten(0, 1)
    return weights @ places / weights.sum(-1, keepdim=True)


def evaluated(target: torch.Tensor, numbers=None) -> dict:
    n = len(target)
    return {
        "prediction": torch.zeros_like(target),
        "target": target,
        "source": target,
        "clip": ["a"] * n,
        "frame": list(range(n)) if numbers is None else list(numbers),
    }


def in_pixels(points: np.ndarray) -> np.ndarray:
    return (points + 1) / 2 * [WIDTH - 1, HEIGHT - 1]


def test_keypoints_that_follow_the_picture_have_no_error() -> None:
    metric = KeypointStability(centroids, every=1)
    value = metric.per_frame(evaluated(spots(6))).value
    assert value.dtype == torch.float64
    assert value.max() < 0.05


def test_keypoints_that_stay_are_off_by_the_way_the_picture_moved() -> None:
    fixed = np.array([[0.3, -0.2], [0.9, 0.95], [-0.5, 0.1]])
    metric = KeypointStability(lambda x: torch.tensor(fixed).float().expand(len(x), -1, -1), every=1)
    numbers = [0, 1, 5, 40, 1000]
    affine = similarities(numbers, SIZE, CPU).affine.double().numpy()
    expected = []
    for a, b in zip(affine[:, :, :2], affine[:, :, 2], strict=True):
        moved = np.linalg.solve(a, (fixed - b).T).T
        seen = (np.abs(moved) <= 1).all(1)
        expected.append(np.linalg.norm(in_pixels(moved) - in_pixels(fixed), axis=1)[seen].mean())
    value = metric.per_frame(evaluated(spots(5), numbers)).value.numpy()
    np.testing.assert_allclose(value, expected, rtol=1e-4)
    assert value.min() > 0.5


def test_moves_are_similarities_in_pixels_within_the_stated_limits() -> None:
    numbers = list(range(200))
    affine = similarities(numbers, SIZE, CPU).affine.double().numpy()
    half = np.array([WIDTH - 1, HEIGHT - 1]) / 2
    matrix = affine[:, :, :2] * half[None, :, None] / half[None, None, :]  # from pixels to pixels
    scale = np.sqrt(np.linalg.det(matrix))
    np.testing.assert_allclose(matrix[:, 0, 0], matrix[:, 1, 1], rtol=1e-5)
    np.testing.assert_allclose(matrix[:, 0, 1], -matrix[:, 1, 0], rtol=1e-4, atol=1e-6)
    angle = np.rad2deg(np.arctan2(matrix[:, 1, 0], matrix[:, 0, 0]))
    for values, low, high in ((scale, 1 / 1.1, 1.1), (angle, -15, 15), (affine[:, :, 2], -0.1, 0.1)):
        assert low <= values.min() < low + 0.1 * (high - low)
        assert high - 0.1 * (high - low) < values.max() <= high


def test_a_move_depends_on_the_frame_number_alone() -> None:
    both = similarities([3, 8, 3], SIZE, CPU).affine
    assert torch.equal(both[0], both[2])
    assert torch.equal(both[1:2], similarities([8], SIZE, CPU).affine)
    assert not torch.equal(both[0], both[1])


def test_only_stated_frames_cost_detections() -> None:
    asked = []

    def detector(pictures: torch.Tensor) -> torch.Tensor:
        asked.append(len(pictures))
        assert not torch.is_grad_enabled()
        return centroids(pictures)

    metric = KeypointStability(detector, every=4)
    frames = evaluated(spots(9), range(3, 12))
    scores = metric.per_frame(frames)
    assert asked == [4]
    assert (~scores.value.isnan()).nonzero().flatten().tolist() == [1, 5]
    assert not scores.missing.any()
    metric.per_frame(evaluated(spots(2), [1, 2]))
    metric.per_frame(evaluated(spots(0)))
    assert asked == [4]


def test_the_numbers_do_not_depend_on_how_frames_are_batched() -> None:
    target = spots(10) + 0.05 * torch.rand(10, 3, *SIZE, generator=torch.Generator().manual_seed(1))
    whole, parts = (KeypointStability(centroids, every=3) for _ in range(2))
    whole.update(evaluated(target))
    for start in range(0, 10, 4):
        parts.update(evaluated(target[start : start + 4], range(start, min(start + 4, 10))))
    torch.testing.assert_close(whole.compute(), parts.compute(), rtol=1e-5, atol=0)
    assert int(whole.count) == int(parts.count) == 4


def test_keypoints_that_leave_the_picture_or_are_nan_are_missing() -> None:
    for place in (2.0, math.nan):
        metric = KeypointStability(lambda x, p=place: torch.full((len(x), 4, 2), p))
        metric.update(evaluated(spots(2)))
        assert math.isnan(metric.compute())
        assert (int(metric.count), int(metric.missing)) == (0, 1)


def test_the_network_stays_out_of_the_metric() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * HEIGHT * WIDTH, 4), nn.Unflatten(1, (2, 2)))
    metric = KeypointStability(network)
    metric.update(evaluated(spots(1)))
    assert not list(metric.parameters())
    metric.persistent(True)
    assert set(metric.state_dict()) == {"total", "count", "missing"}


@pytest.mark.parametrize("every", [8, 1])
def test_the_definition_states_the_moves_and_the_frames(every: int) -> None:
    metric = KeypointStability(centroids, every)
    definition = metric.definition
    assert definition.name == "keypoint_stability"
    assert f"a multiple of {every}" in definition.text
    assert "15 degrees" in definition.text
    assert "5% of the width" in definition.text
    assert not metric.reads_prediction
