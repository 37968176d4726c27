"""Metrics of points: closed forms, and the formulas written out in NumPy."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from animate.errors import UserError
from animate.metrics.points import (
    AKD,
    AUC,
    BOX_DIAGONAL,
    INTER_OCULAR,
    MKR,
    NME,
    PCK,
    AKDCoordinate,
    FailureRate,
)

HEIGHT, WIDTH = 21, 41  # a pixel is 2/20 of the height and 2/40 of the width


def evaluated(prediction, found, target, found_in_target, name: str = "pose") -> dict:
    """N frames of which only points were found; the pictures have a size and nothing else."""
    n = len(prediction)
    picture = torch.zeros(n, 3, HEIGHT, WIDTH)
    return {
        "prediction": picture,
        "target": picture,
        "source": picture,
        "clip": ["a"] * n,
        "frame": list(range(n)),
        "prediction_points": {name: {"value": torch.as_tensor(prediction), "found": torch.as_tensor(found)}},
        "target_points": {
            name: {"value": torch.as_tensor(target), "found": torch.as_tensor(found_in_target)}
        },
    }


def at(*pixels: tuple[float, float]) -> list[list[float]]:
    """Points in [-1, 1] at pixels (x, y)."""
    return [[2 * x / (WIDTH - 1) - 1, 2 * y / (HEIGHT - 1) - 1] for x, y in pixels]


def drawn(n: int = 12, joints: int = 7, seed: int = 0) -> dict:
    """Random points; one frame whose prediction shows nothing, one whose target does, one of one point."""
    rng = np.random.default_rng(seed)
    target = rng.uniform(-0.9, 0.9, (n, joints, 2)).astype(np.float32)
    prediction = (target + rng.normal(0, 0.05, target.shape)).astype(np.float32)
    found, found_in_target = rng.random((n, joints)) < 0.8, rng.random((n, joints)) < 0.8
    found[2], found_in_target[2] = False, True
    found_in_target[5] = False
    found_in_target[7] = np.arange(joints) == 3
    found[7] = True
    prediction[~found], target[~found_in_target] = 0, 0  # as back-ends leave them
    return evaluated(prediction, found, target, found_in_target)


def in_numpy(frames: dict) -> list[tuple[np.ndarray, ...]]:
    """Points in pixels and what was found, of each frame."""
    result = []
    for name in ("prediction_points", "target_points"):
        points = frames[name]["pose"]
        pixels = (points["value"].double().numpy() + 1) / 2 * [WIDTH - 1, HEIGHT - 1]
        result += [pixels, points["found"].numpy()]
    return list(zip(*result, strict=True))


def mean(values: list[float]) -> float:
    return float(np.nanmean(values))


def test_three_four_five() -> None:
    # Of three points one is off by (3, 4) pixels, one is exact, one was not found in the prediction.
    frames = evaluated(
        [at((13, 14), (5, 5), (20, 10))],
        [[True, True, False]],
        [at((10, 10), (5, 5), (30, 15))],
        [[True] * 3],
    )
    expected = {AKD: 2.5, AKDCoordinate: 1.75, MKR: 1 / 3, NME: 2.5 / math.hypot(25, 10)}
    for metric, value in expected.items():
        scores = metric("pose").per_frame(frames)
        assert scores.value.tolist() == pytest.approx([value], rel=1e-6), metric
        assert scores.value.dtype == torch.float64
        assert scores.missing.tolist() == [False]


def test_akd_akd_coordinate_and_mkr_against_their_formulas() -> None:
    frames = drawn()
    akd, coordinate, mkr = [], [], []
    for p, found, y, found_in_target in in_numpy(frames):
        both = found & found_in_target
        akd.append(np.linalg.norm(p - y, axis=1)[both].mean() if both.any() else math.nan)
        coordinate.append(np.abs(p - y)[both].mean() if both.any() else math.nan)
        lost = (found_in_target & ~found).sum()
        mkr.append(lost / found_in_target.sum() if found_in_target.any() else math.nan)
    for metric, expected in ((AKD("pose"), akd), (AKDCoordinate("pose"), coordinate), (MKR("pose"), mkr)):
        np.testing.assert_allclose(metric.per_frame(frames).value.numpy(), expected, rtol=1e-12)
        metric.update(frames)
        assert float(metric.compute()) == pytest.approx(mean(expected), rel=1e-12)
        assert int(metric.missing) == np.isnan(expected).sum() > 0
        assert int(metric.count) + int(metric.missing) == 12


def test_normalised_metrics_against_their_formulas() -> None:
    frames, alpha, threshold = drawn(), 0.06, 0.05
    nme, pck, auc, failure = [], [], [], []
    for p, found, y, found_in_target in in_numpy(frames):
        seen, both = y[found_in_target], found & found_in_target
        diagonal = math.hypot(*(seen.max(0) - seen.min(0))) if len(seen) > 1 else math.nan
        distance = np.linalg.norm(p - y, axis=1)
        nme.append(distance[both].mean() / diagonal if both.any() else math.nan)
        if math.isnan(diagonal):
            for values in (pck, auc, failure):
                values.append(math.nan)
            continue
        pck.append((both & (distance <= alpha * diagonal)).sum() / found_in_target.sum())
        error = nme[-1] if both.any() else math.inf
        auc.append(max(0.0, 1 - error / threshold))
        failure.append(float(error > threshold))
    cases = (
        (NME("pose"), nme),
        (PCK("pose", alpha=alpha), pck),
        (AUC("pose", threshold=threshold), auc),
        (FailureRate("pose", threshold=threshold), failure),
    )
    assert 0 < mean(failure) < 1
    assert len(set(pck)) > 3
    for metric, expected in cases:
        np.testing.assert_allclose(metric.per_frame(frames).value.numpy(), expected, rtol=1e-12, atol=1e-14)
        metric.update(frames)
        assert int(metric.missing) == np.isnan(expected).sum()


def test_a_lost_figure_is_missing_for_distances_and_wrong_for_shares() -> None:
    square = at((10, 5), (20, 5), (20, 15), (10, 15))
    frames = evaluated([square] * 2, [[True] * 4, [False] * 4], [square] * 2, [[True] * 4] * 2)
    for metric in (AKD("pose"), AKDCoordinate("pose"), NME("pose")):
        metric.update(frames)
        assert (float(metric.compute()), int(metric.missing)) == (0, 1)
    expected = {MKR: 0.5, PCK: 0.5, AUC: 0.5, FailureRate: 0.5}
    for kind, value in expected.items():
        metric = kind("pose")
        metric.update(frames)
        assert (float(metric.compute()), int(metric.missing)) == (value, 0), kind


def test_auc_is_the_area_under_the_curve_of_cumulative_errors() -> None:
    frames, threshold = drawn(40), 0.08
    errors = NME("pose").per_frame(frames).value.numpy()
    lost = [found_in_target.sum() > 1 and not (found & found_in_target).any()
            for _, found, _, found_in_target in in_numpy(frames)]  # fmt: skip
    errors = np.where(lost, np.inf, errors)
    errors = errors[~np.isnan(errors)]
    grid = (np.arange(200_000) + 0.5) / 200_000 * threshold
    curve = (errors[:, None] <= grid[None, ::50]).mean(0)
    metric = AUC("pose", threshold=threshold)
    metric.update(frames)
    assert float(metric.compute()) == pytest.approx(curve.mean(), abs=1e-3)


def test_faces_are_measured_between_the_outer_corners_of_the_eyes() -> None:
    target = torch.zeros(3, 68, 2)
    target[:, 36], target[:, 45] = torch.tensor(at((10, 8), (20, 8)))
    prediction = target + torch.tensor([2 / (WIDTH - 1), 0])  # one pixel to the right
    found_in_target = torch.ones(3, 68, dtype=torch.bool)
    found_in_target[1, 45] = False
    frames = evaluated(prediction, torch.ones_like(found_in_target), target, found_in_target, "landmarks")
    scores = NME("landmarks", INTER_OCULAR).per_frame(frames)
    np.testing.assert_allclose(scores.value.numpy(), [0.1, math.nan, 0.1], rtol=1e-5)
    assert scores.missing.tolist() == [False, True, False]
    for alpha, right in ((0.11, 1), (0.09, 0)):
        assert PCK("landmarks", INTER_OCULAR, alpha).per_frame(frames).value[0] == right
        assert FailureRate("landmarks", INTER_OCULAR, alpha).per_frame(frames).value[0] == 1 - right


def test_the_numbers_do_not_depend_on_how_frames_are_batched() -> None:
    whole, parts = AKD("pose"), AKD("pose")
    frames = drawn()
    whole.update(frames)
    for part in (slice(0, 1), slice(1, 1), slice(1, 12)):
        points = {
            key: {"pose": {name: value[part] for name, value in frames[key]["pose"].items()}}
            for key in ("prediction_points", "target_points")
        }
        parts.update({**frames, "target": frames["target"][part], **points})
    torch.testing.assert_close(whole.compute(), parts.compute(), rtol=1e-12, atol=0)
    assert int(whole.missing) == int(parts.missing)


def test_nothing_found_gives_nan_and_a_count() -> None:
    points, nowhere = torch.zeros(3, 5, 2), torch.zeros(3, 5, dtype=torch.bool)
    for kind in (AKD, AKDCoordinate, MKR, NME, PCK, AUC, FailureRate):
        metric = kind("pose")
        metric.update(evaluated(points, nowhere, points, nowhere))
        assert math.isnan(metric.compute()), kind
        assert int(metric.missing) == 3
        empty = kind("pose")
        empty.update(evaluated(points[:0], nowhere[:0], points[:0], nowhere[:0]))
        assert (int(empty.count), int(empty.missing)) == (0, 0)


def test_points_that_nobody_looked_for_are_a_clear_error() -> None:
    frames = drawn()
    with pytest.raises(UserError, match=r"no points 'landmarks' of the prediction \(there are: pose\)"):
        AKD("landmarks").update(frames)
    del frames["target_points"]
    with pytest.raises(UserError, match=r"no points 'pose' of the target \(there are: none\)"):
        AKD("pose").update(frames)


def test_definitions_tell_sets_of_points_and_parameters_apart() -> None:
    kinds = (AKD, AKDCoordinate, MKR, NME, PCK, AUC, FailureRate)
    definitions = [kind(name).definition for kind in kinds for name in ("pose", "landmarks")]
    assert len({definition.name for definition in definitions}) == 2 * len(kinds)
    assert {x.name for x in definitions if x.higher_is_better} == {
        *("pck_pose", "pck_landmarks", "auc_pose", "auc_landmarks")
    }
    texts = {NME("pose", normaliser).definition.text for normaliser in (BOX_DIAGONAL, INTER_OCULAR)}
    texts |= {kind("pose", BOX_DIAGONAL, 0.25).definition.text for kind in (PCK, AUC, FailureRate)}
    assert len(texts) == 5
    assert sum("0.25" in text for text in texts) == 3
    assert AKD("pose", backend="dlib 20").definition.backend == "dlib 20"
    assert AKD("pose").needs == {"points:pose"}
