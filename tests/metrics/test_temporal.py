"""Metrics of time: closed forms, the formulas in NumPy and SciPy, and clips cut into batches anyhow."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter, map_coordinates

from animate.errors import UserError
from animate.metrics.functional.temporal import optical_flow, pull, visible, warping_error
from animate.metrics.temporal import AccelerationError, Flicker, Jitter, KeypointJitter, WarpingError

SIZE = (32, 40)
HEIGHT, WIDTH = SIZE


def texture(seed: int = 0, height: int = 96, width: int = 120) -> np.ndarray:
    """A smooth random picture (3, height, width) in [0, 1] in which flow can be found."""
    noise = np.random.default_rng(seed).normal(size=(3, height, width))
    smooth = gaussian_filter(noise, (0, 2, 2))
    return ((smooth - smooth.min()) / np.ptp(smooth)).astype(np.float32)


def gliding(n: int, step: tuple[int, int] = (1, 2), seed: int = 0) -> torch.Tensor:
    """N frames of a texture that moves up and to the left by whole pixels."""
    field = texture(seed)
    frames = [field[:, step[0] * t :, step[1] * t :][:, :HEIGHT, :WIDTH] for t in range(n)]
    return torch.from_numpy(np.stack(frames))


def evaluated(prediction, target, clips="", numbers=None) -> dict:
    n = len(prediction)
    return {
        "prediction": prediction,
        "target": target,
        "source": target[:1].expand_as(target),
        "clip": list(clips or "a" * n),
        "frame": list(range(n)) if numbers is None else list(numbers),
    }


def with_points(places, found, true_places=None, true_found=None, **where) -> dict:
    """Points in pixels; the pictures have a size and nothing else."""
    scale = torch.tensor([WIDTH - 1, HEIGHT - 1]) / 2

    def points(places, found) -> dict:
        value = torch.as_tensor(np.asarray(places)).float() / scale - 1
        found = torch.as_tensor(np.asarray(found))
        return {"pose": {"value": value * found.unsqueeze(-1), "found": found}}

    picture = torch.zeros(len(places), 3, *SIZE)
    frames = evaluated(picture, picture, **where) | {"prediction_points": points(places, found)}
    if true_places is not None:
        frames["target_points"] = points(true_places, true_found)
    return frames


def part(frames: dict, rows: slice) -> dict:
    cut = {key: value[rows] for key, value in frames.items() if not isinstance(value, dict)}
    nested = {key: value for key, value in frames.items() if isinstance(value, dict)}
    return cut | {
        key: {name: {k: x[rows] for k, x in entry.items()} for name, entry in value.items()}
        for key, value in nested.items()
    }


def lively(n: int = 11) -> dict:
    """Clips of 5, 1 and 5 frames, the last with a gap; random pictures, points and keypoints."""
    rng = np.random.default_rng(5)
    where = {"clips": "aaaaabccccc", "numbers": [0, 1, 2, 3, 4, 0, 3, 4, 5, 7, 8]}
    frames = with_points(
        rng.uniform(0, 30, (n, 4, 2)),
        rng.random((n, 4)) < 0.8,
        rng.uniform(0, 30, (n, 4, 2)),
        rng.random((n, 4)) < 0.8,
        **where,
    )
    frames["target"] = gliding(n)
    noise = torch.from_numpy(rng.normal(0, 0.05, frames["target"].shape).astype(np.float32))
    frames["prediction"] = (frames["target"] + noise).clamp(0, 1)
    frames["target_keypoints"] = torch.from_numpy(rng.uniform(-1, 1, (n, 3, 2)).astype(np.float32))
    return frames


METRICS = [Flicker, WarpingError, lambda: Jitter("pose"), KeypointJitter, lambda: AccelerationError("pose")]


@pytest.mark.parametrize("make", METRICS)
def test_batches_cut_anyhow_give_the_same_numbers(make) -> None:
    frames, whole = lively(), make()
    value, missing = whole.per_frame(frames)
    second_order = whole.order == 2
    numbers = list(zip(frames["clip"], frames["frame"], strict=True))
    defined = [all((c, t - b) in numbers for b in range(whole.order + 1)) for c, t in numbers]
    assert sum(defined) == (4 if second_order else 7)
    assert ((~value.isnan()) | missing).tolist() == defined
    for size in (1, 2, 3, 5):
        metric = make()
        scores = [metric.per_frame(part(frames, slice(i, i + size))) for i in range(0, 11, size)]
        torch.testing.assert_close(
            torch.cat([s.value for s in scores]), value, rtol=1e-12, atol=0, equal_nan=True
        )
        assert torch.equal(torch.cat([s.missing for s in scores]), missing)
        assert all(len(remembered) <= metric.order for remembered in metric._values)
        assert all(x.untyped_storage().size() == x.numel() * x.element_size() for x in metric._values)


@pytest.mark.parametrize("make", METRICS)
def test_a_metric_that_is_reset_forgets_the_frames_before(make) -> None:
    frames, metric = lively(), make()
    metric.update(part(frames, slice(0, 4)))
    metric.reset()
    assert metric.per_frame(part(frames, slice(4, 5))).value.isnan().all()
    assert pickle.loads(pickle.dumps(metric)).definition == metric.definition


def test_clips_of_other_sizes_do_not_meet() -> None:
    metric = Flicker()
    for n, size in ((3, (8, 9)), (2, (5, 4))):
        picture = torch.rand(n, 3, *size, generator=torch.Generator().manual_seed(0))
        metric.update(evaluated(picture, picture, "a" * 3 if n == 3 else "bb"))
    assert (float(metric.compute()), int(metric.count)) == (0, 3)


def test_no_frames_leave_everything_as_it_was() -> None:
    frames = lively()
    for make in METRICS:
        metric = make()
        metric.update(part(frames, slice(0, 1)))
        assert math.isnan(metric.compute())
        metric.update(part(frames, slice(1, 3)))
        metric.update(part(frames, slice(0, 0)))
        metric.update(part(frames, slice(3, 4)))
        whole = make()
        whole.update(part(frames, slice(0, 4)))
        torch.testing.assert_close(metric.compute(), whole.compute(), rtol=1e-12, atol=0)


def test_flicker_against_its_formula() -> None:
    frames = lively()
    p, y = frames["prediction"].double().numpy(), frames["target"].double().numpy()
    pairs = [1, 2, 3, 4, 7, 8, 10]
    expected = [np.abs((p[t] - p[t - 1]) - (y[t] - y[t - 1])).mean() for t in pairs]
    metric = Flicker()
    np.testing.assert_allclose(metric.per_frame(frames).value.numpy()[pairs], expected, rtol=1e-6)


def test_an_offset_does_not_flicker_and_an_alternating_one_does() -> None:
    target = 0.5 * gliding(4)
    still, alternating = Flicker(), Flicker()
    still.update(evaluated(target + 0.25, target))
    sign = torch.tensor([1.0, -1.0, 1.0, -1.0]).view(4, 1, 1, 1)
    alternating.update(evaluated(target + 0.25 + 0.125 * sign, target))
    assert float(still.compute()) == pytest.approx(0, abs=1e-7)
    assert float(alternating.compute()) == pytest.approx(0.25, rel=1e-6)


def test_flow_finds_a_glide() -> None:
    frames = gliding(2)
    flow = optical_flow(frames[1:], frames[:1])  # what is at z now was at z + (2, 1) before
    assert flow.shape == (1, 2, *SIZE)
    inside = flow[0, :, 6:-6, 6:-6].flatten(1)
    torch.testing.assert_close(inside.median(1).values, torch.tensor([2.0, 1.0]), atol=0.05, rtol=0)


def test_pull_agrees_with_scipy() -> None:
    picture = torch.from_numpy(texture(3, *SIZE))[None]
    flow = torch.from_numpy(np.random.default_rng(2).normal(0, 3, (1, 2, *SIZE)).astype(np.float32))
    ys, xs = np.mgrid[:HEIGHT, :WIDTH]
    places = [np.clip(ys + flow[0, 1].numpy(), 0, HEIGHT - 1), np.clip(xs + flow[0, 0].numpy(), 0, WIDTH - 1)]
    expected = [map_coordinates(channel.numpy(), places, order=1) for channel in picture[0]]
    np.testing.assert_allclose(pull(picture, flow)[0].numpy(), expected, atol=1e-5)


def test_what_is_visible_against_the_formula() -> None:
    rng = np.random.default_rng(4)
    there = gaussian_filter(rng.normal(0, 8, (2, *SIZE)), (0, 2, 2)) + 1.5
    back = gaussian_filter(rng.normal(0, 8, (2, *SIZE)), (0, 2, 2)) - 1.5
    ys, xs = np.mgrid[:HEIGHT, :WIDTH]
    x, y = xs + there[0], ys + there[1]
    inside = (x >= 0) & (x <= WIDTH - 1) & (y >= 0) & (y <= HEIGHT - 1)
    returned = np.stack([map_coordinates(channel, [y, x], order=1, mode="nearest") for channel in back])
    apart = ((there + returned) ** 2).sum(0)
    expected = inside & (apart <= 0.01 * ((there**2).sum(0) + (returned**2).sum(0)) + 0.5)
    mask = visible(*(torch.from_numpy(flow).float()[None] for flow in (there, back)))[0].numpy()
    assert 0.1 < expected.mean() < 0.9
    assert (mask != expected).mean() < 0.002  # float32 at the very border


def test_warping_error_of_known_flow() -> None:
    # Constant pictures 0.25 apart in each channel; the mask decides over what is averaged.
    now, before = torch.full((2, 3, *SIZE), 0.75), torch.full((2, 3, *SIZE), 0.5)
    now[:, :, :4] = 0
    mask = torch.zeros(2, *SIZE, dtype=torch.bool)
    mask[0, 4:] = True
    value = warping_error(now, before, torch.ones(2, 2, *SIZE), mask)
    assert value[0] == pytest.approx(3 * 0.25**2)
    assert value[1].isnan()


def test_a_prediction_that_moves_as_its_target_has_no_warping_error_and_one_that_pumps_has() -> None:
    target = 0.5 * gliding(4)
    smooth, pumping, still = WarpingError(), WarpingError(), WarpingError()
    smooth.update(evaluated(target + 0.25, target))
    sign = torch.tensor([1.0, -1.0, 1.0, -1.0]).view(4, 1, 1, 1)
    pumping.update(evaluated(target + 0.25 + 0.05 * sign, target))
    still.update(evaluated(target[:1].expand_as(target), target))
    assert float(smooth.compute()) < 1e-4
    assert float(pumping.compute()) == pytest.approx(3 * 0.1**2, rel=0.05)
    assert float(still.compute()) > 10 * float(smooth.compute())


def test_pixels_that_were_hidden_before_are_left_out() -> None:
    # A patch glides over a still ground. What it uncovers was not there before.
    ground, patch = texture(7)[:, :64, :64], texture(8)[:, :24, :24]
    frames = np.stack([ground, ground])
    for t, left in enumerate((28, 20)):
        frames[t, :, 20:44, left : left + 24] = patch
    target = torch.from_numpy(frames)
    mask = visible(optical_flow(target[1:], target[:1]), optical_flow(target[:1], target[1:]))[0]
    assert mask[24:40, 46:50].float().mean() < 0.5  # uncovered
    assert mask[:12].float().mean() > 0.95  # ground
    assert mask[24:40, 24:38].float().mean() > 0.9  # patch


def test_pictures_too_small_for_flow_are_a_clear_error() -> None:
    small = torch.rand(2, 3, 8, 11)
    with pytest.raises(UserError, match="at least 12 px, not 11x8"):
        WarpingError().update(evaluated(small, small))


def test_pictures_of_nan_spoil_the_result_and_are_counted() -> None:
    target = gliding(3)
    broken = target.clone()
    broken[2] = math.nan
    for metric in (Flicker(), WarpingError()):
        metric.update(evaluated(broken, target))
        assert math.isnan(metric.compute())
        assert (int(metric.count), int(metric.missing)) == (1, 1)


def test_constant_pictures_have_no_error() -> None:
    grey = torch.full((3, 3, *SIZE), 0.5)
    for metric in (Flicker(), WarpingError()):
        metric.update(evaluated(grey, grey))
        assert (float(metric.compute()), int(metric.count), int(metric.missing)) == (0, 2, 0)


def test_jitter_of_a_parabola_a_line_and_a_zigzag() -> None:
    t = np.arange(6.0)
    line, parabola = np.stack([3 * t, 10 - t], 1), np.stack([t**2 / 2, 5 + 0 * t], 1)
    zigzag = np.stack([10 + (-1) ** t, 10 + 0 * t], 1)
    places = np.stack([line, parabola, zigzag], 1)
    for joint, expected in enumerate((0, 1, 4)):
        metric = Jitter("pose")
        metric.update(with_points(places[:, [joint]], np.ones((6, 1), bool)))
        assert float(metric.compute()) == pytest.approx(expected, abs=1e-5)
        assert int(metric.count) == 4


def second_differences(x: np.ndarray, rows: list[int]) -> np.ndarray:
    return np.stack([x[t] - 2 * x[t - 1] + x[t - 2] for t in rows])


def test_jitter_and_acceleration_error_against_their_formulas() -> None:
    frames, rows = lively(), [2, 3, 4, 8]
    p, y = (frames[f"{name}_points"]["pose"] for name in ("prediction", "target"))
    scale = np.array([WIDTH - 1, HEIGHT - 1]) / 2
    places, true_places = ((points["value"].double().numpy() + 1) * scale for points in (p, y))
    found, both = p["found"].numpy(), (p["found"] & y["found"]).numpy()
    a, b = second_differences(places, rows), second_differences(true_places, rows)
    cases = ((Jitter("pose"), a, found), (AccelerationError("pose"), a - b, both))
    for metric, difference, seen in cases:
        run = np.stack([seen[t] & seen[t - 1] & seen[t - 2] for t in rows])
        lengths = np.linalg.norm(difference, axis=2)
        expected = [x[s].mean() if s.any() else math.nan for x, s in zip(lengths, run, strict=True)]
        scores = metric.per_frame(frames)
        np.testing.assert_allclose(scores.value.numpy()[rows], expected, rtol=1e-10)
        assert scores.missing.numpy()[rows].tolist() == np.isnan(expected).tolist()
    keypoints = (frames["target_keypoints"].double().numpy() + 1) * scale
    expected = np.linalg.norm(second_differences(keypoints, rows), axis=2).mean(1)
    np.testing.assert_allclose(KeypointJitter().per_frame(frames).value.numpy()[rows], expected, rtol=1e-10)


def test_a_still_prediction_has_no_jitter_but_the_acceleration_error_of_its_target() -> None:
    t = np.arange(6.0)
    swinging = np.stack([10 + 2 * (-1) ** t, 10 + 0 * t], 1)[:, None]
    everywhere = np.ones((6, 1), bool)
    frames = with_points(np.full((6, 1, 2), 10.0), everywhere, swinging, everywhere)
    jitter, error = Jitter("pose"), AccelerationError("pose")
    jitter.update(frames)
    error.update(frames)
    assert float(jitter.compute()) == pytest.approx(0, abs=1e-6)
    assert float(error.compute()) == pytest.approx(8, rel=1e-5)


def test_points_lost_in_one_of_three_frames_are_missing() -> None:
    found = np.ones((5, 1), bool)
    found[1] = False
    metric = Jitter("pose")
    metric.update(with_points(np.zeros((5, 1, 2)), found))
    assert (int(metric.count), int(metric.missing)) == (1, 2)


def test_what_is_needed_and_not_there_is_a_clear_error() -> None:
    frames = evaluated(gliding(3), gliding(3))
    with pytest.raises(UserError, match="needs a model that finds keypoints"):
        KeypointJitter().update(frames)
    with pytest.raises(UserError, match="no points 'pose' of the prediction"):
        Jitter("pose").update(frames)


def test_definitions() -> None:
    metrics = [
        Flicker(),
        WarpingError(),
        Jitter("pose", "b 1"),
        KeypointJitter(),
        AccelerationError("pose", "b 1"),
    ]
    names = [metric.definition.name for metric in metrics]
    assert names == ["flicker", "warping_error", "jitter_pose", "jitter_keypoints", "acceleration_error_pose"]
    assert not any(metric.definition.higher_is_better for metric in metrics)
    assert metrics[2].definition.backend == metrics[4].definition.backend == "b 1"
    assert metrics[1].definition.backend.startswith("OpenCV ")
    assert [metric.needs for metric in metrics[2:]] == [{"points:pose"}, frozenset(), {"points:pose"}]
    assert [metric.reads_prediction for metric in metrics] == [True, True, True, False, True]
