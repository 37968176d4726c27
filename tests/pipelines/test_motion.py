from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from animate.pipelines.motion import MotionTransfer, closest_pose, hull_area, movement_scale

GOLDEN = Path(__file__).parents[1] / "golden" / "normalize_kp.safetensors"
SQUARE = np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5], [0.1, 0.2]])


def keypoints(seed: int, count: int = 5, batch: int = 1):
    draw = torch.Generator().manual_seed(seed)
    value = torch.rand(batch, count, 2, generator=draw) * 2 - 1
    jacobian = torch.eye(2) + 0.3 * torch.randn(batch, count, 2, 2, generator=draw)
    return {"value": value, "jacobian": jacobian}


@pytest.mark.parametrize(("adapt", "relative", "jacobian"), list(product([0, 1], repeat=3)))
def test_equals_the_reference(adapt, relative, jacobian):
    golden = load_file(GOLDEN)
    given = {
        name: {part: golden[f"in.{name}.{part}"] for part in ("value", "jacobian")}
        for name in ("kp_source", "kp_driving", "kp_driving_initial")
    }
    transfer = MotionTransfer(
        given["kp_source"],
        given["kp_driving_initial"],
        relative=bool(relative),
        relative_jacobian=bool(jacobian),
        adapt_scale=bool(adapt),
    )
    moved = transfer(given["kp_driving"])
    for part in ("value", "jacobian"):
        expected = golden[f"out.adapt{adapt}_rel{relative}_reljac{jacobian}.{part}"]
        torch.testing.assert_close(moved[part], expected, rtol=2e-5, atol=2e-6)


def test_no_movement_gives_the_source_back():
    source, initial = keypoints(1), keypoints(2)
    moved = MotionTransfer(source, initial, adapt_scale=True)(initial)
    torch.testing.assert_close(moved["value"], source["value"])
    torch.testing.assert_close(moved["jacobian"], source["jacobian"], rtol=1e-4, atol=1e-5)


def test_movement_of_a_batch_and_without_jacobians():
    source, initial, driving = keypoints(1), keypoints(2), keypoints(3, batch=4)
    together = MotionTransfer(source, initial)(driving)
    for number in range(4):
        alone = MotionTransfer(source, initial)({k: v[number : number + 1] for k, v in driving.items()})
        torch.testing.assert_close(together["jacobian"][number], alone["jacobian"][0])
    bare = [{"value": points["value"]} for points in (source, initial, driving)]
    moved = MotionTransfer(bare[0], bare[1])(bare[2])
    assert set(moved) == {"value"}
    torch.testing.assert_close(moved["value"], together["value"])


def test_adapted_scale_is_the_ratio_of_sizes():
    assert movement_scale(SQUARE * 0.5, SQUARE) == pytest.approx(0.5)
    assert hull_area(SQUARE) == pytest.approx(1.0)


@pytest.mark.parametrize(
    "flat",
    [
        np.zeros((5, 2)),
        np.linspace(-1, 1, 5)[:, None] * np.array([[1.0, 2.0]]) / 2,
        np.array([[0.1, 0.2], [0.5, 0.5]]),
        np.full((5, 2), np.nan),
    ],
    ids=["one point", "a line", "two points", "nan"],
)
def test_flat_hulls_do_not_scale(flat):
    assert hull_area(flat) < 1e-6
    assert movement_scale(SQUARE, flat) == movement_scale(flat, SQUARE) == 1.0


def test_closest_pose_ignores_place_and_size():
    random = np.random.default_rng(0)
    poses = random.uniform(-1, 1, (6, 8, 2))
    assert closest_pose(poses[4] * 0.3 + 0.2, iter(poses)) == 4


def test_closest_pose_passes_over_what_was_not_found():
    lost = np.full((5, 2), np.nan)
    assert closest_pose(SQUARE, [lost, SQUARE * 0.5, SQUARE]) == 1
    assert closest_pose(SQUARE, [lost, lost]) == 0
    assert closest_pose(SQUARE, [np.zeros((5, 2)), SQUARE]) == 1
