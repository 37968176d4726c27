"""Metrics of identity: closed forms, the formulas in NumPy, and clips on two processes."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from animate.errors import UserError
from animate.metrics.identity import AED, CSIM, AEDSquared, Identification, Verification


def evaluated(prediction, target, clips, found=None, found_in_target=None) -> dict:
    n = len(clips)
    picture, all_found = torch.zeros(n, 3, 2, 2), torch.ones(n, dtype=torch.bool)
    found = all_found if found is None else torch.as_tensor(found)
    found_in_target = all_found if found_in_target is None else torch.as_tensor(found_in_target)
    prediction, target = torch.as_tensor(prediction).float(), torch.as_tensor(target).float()
    return {
        "prediction": picture,
        "target": picture,
        "source": picture,
        "clip": list(clips),
        "frame": list(range(n)),
        "prediction_identity": {"value": prediction * found.unsqueeze(1), "found": found},
        "target_identity": {"value": target * found_in_target.unsqueeze(1), "found": found_in_target},
    }


def part(frames: dict, rows: slice) -> dict:
    """Some of the frames."""
    cut = {key: value[rows] for key, value in frames.items() if not isinstance(value, dict)}
    nested = {key: value for key, value in frames.items() if isinstance(value, dict)}
    return cut | {key: {name: x[rows] for name, x in value.items()} for key, value in nested.items()}


def five_clips() -> dict:
    """Random embeddings of 5 unequal clips, with gaps; one clip lost, one without a true identity."""
    rng = np.random.default_rng(1)
    clips = [name for name, n in zip("abcde", (4, 2, 5, 3, 6), strict=True) for _ in range(n)]
    truth = {name: rng.normal(size=8) for name in "abcde"}
    target = np.stack([truth[name] + rng.normal(0, 0.2, 8) for name in clips])
    prediction = target + rng.normal(0, 1.6, target.shape)
    found = rng.random(len(clips)) < 0.8
    found_in_target = rng.random(len(clips)) < 0.8
    found[[4, 5]], found_in_target[[4, 5]] = False, True
    found_in_target[[11, 12, 13]] = False
    return evaluated(prediction, target, clips, found, found_in_target)


def test_right_angles_and_opposites() -> None:
    frames = evaluated([[3, 0], [0, 2], [-1, 0]], [[1, 0]] * 3, "aaa")
    assert CSIM().per_frame(frames).value.tolist() == [1, 0, -1]
    assert AED().per_frame(frames).value.tolist() == pytest.approx([2, math.sqrt(5), 2])
    assert AEDSquared().per_frame(frames).value.tolist() == [4, 5, 4]


def test_per_frame_metrics_against_their_formulas() -> None:
    frames = five_clips()
    p, y = (frames[f"{name}_identity"]["value"].double().numpy() for name in ("prediction", "target"))
    found, found_in_target = (
        frames[f"{name}_identity"]["found"].numpy() for name in ("prediction", "target")
    )
    distance = np.sqrt(((p - y) ** 2).sum(1))
    with np.errstate(invalid="ignore"):
        cosine = (p * y).sum(1) / np.linalg.norm(p, axis=1) / np.linalg.norm(y, axis=1)
    threshold = 4.0
    verified = np.where(found_in_target, (found & (distance < threshold)).astype(float), math.nan)
    assert 0 < np.nanmean(verified) < 1
    both = found & found_in_target
    cases = (
        (CSIM(), np.where(both, cosine, math.nan)),
        (AED(), np.where(both, distance, math.nan)),
        (AEDSquared(), np.where(both, distance**2, math.nan)),
        (Verification(threshold), verified),
    )
    for metric, expected in cases:
        np.testing.assert_allclose(metric.per_frame(frames).value.numpy(), expected, rtol=1e-12)
        metric.update(frames)
        assert float(metric.compute()) == pytest.approx(np.nanmean(expected), rel=1e-12)
        assert int(metric.missing) == np.isnan(expected).sum() > 0


def expected_identification(frames: dict, threshold: float) -> float:
    """The definition, frame by frame and clip by clip."""
    means = {}
    for clip in dict.fromkeys(frames["clip"]):
        rows = np.array([name == clip for name in frames["clip"]])
        entry = []
        for side in ("prediction", "target"):
            found = frames[f"{side}_identity"]["found"].numpy() & rows
            values = frames[f"{side}_identity"]["value"].double().numpy()[found]
            entry.append(values.mean(0) if len(values) else None)
        means[clip] = entry
    gallery = {clip: y for clip, (_, y) in means.items() if y is not None}
    right = 0
    for clip, truth in gallery.items():
        query = means[clip][0]
        if query is not None:
            nearest = min(gallery, key=lambda other: np.linalg.norm(gallery[other] - query))
            right += np.linalg.norm(gallery[nearest] - truth) <= threshold
    return right / len(gallery)


def test_identification_against_its_definition() -> None:
    frames = five_clips()
    shares = []
    for threshold in (0.0, 3.0):
        metric = Identification(threshold)
        metric.update(frames)
        shares.append(expected_identification(frames, threshold))
        assert float(metric.compute()) == shares[-1]
        both = frames["prediction_identity"]["found"] & frames["target_identity"]["found"]
        assert int(metric.missing) == int((~both).sum())
    assert 0 < shares[0] < 1


def test_codes_that_are_equal_or_not_make_sense() -> None:
    # Puppets: one-hot codes, several clips of one puppet. Clip c is predicted as somebody else, half of d is.
    codes, clips = torch.eye(4), ["a", "a", "b", "c", "d", "d", "d"]
    target = codes[[0, 0, 0, 1, 2, 2, 2]]
    prediction = codes[[0, 0, 0, 2, 2, 3, 2]]
    frames = evaluated(prediction, target, clips)
    expected = {
        CSIM(): 5 / 7,
        Verification(1.0): 5 / 7,
        AEDSquared(): 4 / 7,
        AED(): 2 * math.sqrt(2) / 7,
        Identification(0.0): 3 / 4,
    }
    for metric, value in expected.items():
        metric.update(frames)
        assert float(metric.compute()) == pytest.approx(value, rel=1e-12), metric


def test_identification_does_not_depend_on_how_frames_are_batched() -> None:
    frames = five_clips()
    expected = expected_identification(frames, 0.0)
    metric = Identification(0.0)
    for size in (1, 3, 20):
        for start in range(0, 20, size):
            metric.update(part(frames, slice(start, start + size)))
        assert len(metric.clip_ids) == 1 + 5  # one entry per clip, whatever the number of its frames
        assert float(metric.compute()) == expected
        metric.reset()
    assert len(metric.clip_ids) == 1


def on_one_of_two(rank: int) -> None:
    frames = five_clips()
    for border in (6, 9, 20):  # between clips, within clip c, and nothing for the second process
        share = part(frames, slice(0, border) if rank == 0 else slice(border, 20))
        metric, distance = Identification(0.0), AED()
        if share["clip"]:
            metric.update(share)
            distance.update(share)
        whole = AED()
        assert float(metric.compute()) == expected_identification(frames, 0.0)
        assert len(metric.clip_ids) <= 1 + 5  # its own again, not what the other sent
        value, missing = whole.per_frame(frames)
        torch.testing.assert_close(distance.compute(), value.nanmean(), rtol=1e-12, atol=0)
        assert missing.any()


def test_two_processes_identify_among_all_clips(on_two_processes) -> None:
    on_two_processes(on_one_of_two)


def test_nobody_found_gives_nan_and_a_count() -> None:
    nowhere = [False, False]
    for metric in (CSIM(), AED(), AEDSquared(), Verification(0.6), Identification(0.6)):
        metric.update(evaluated(torch.zeros(2, 4), torch.zeros(2, 4), "ab", nowhere, nowhere))
        assert math.isnan(metric.compute()), metric
        assert int(metric.missing) == 2
        metric.reset()
        metric.update(evaluated(torch.zeros(0, 4), torch.zeros(0, 4), ""))
        assert math.isnan(metric.compute())
        assert int(metric.missing) == 0


def test_a_prediction_that_shows_nobody_is_not_recognised() -> None:
    frames = evaluated(torch.eye(2), torch.eye(2), "ab", [True, False])
    for metric in (Verification(0.5), Identification(0.0)):
        metric.update(frames)
        assert float(metric.compute()) == 0.5


def test_bad_input_is_a_clear_error() -> None:
    frames = evaluated(torch.eye(2), torch.eye(2), "ab")
    frames["target_identity"]["value"] = torch.zeros(2, 3)
    with pytest.raises(UserError, match=r"\(2, 2\) and target \(2, 3\) do not fit"):
        CSIM().update(frames)
    del frames["target_identity"]
    for metric in (AED(), Verification(0.6), Identification(0.6)):
        with pytest.raises(UserError, match="no identities of prediction and target"):
            metric.update(frames)


def test_definitions_state_threshold_and_back_end() -> None:
    metrics = [
        CSIM("x 1"),
        AED("x 1"),
        AEDSquared("x 1"),
        Verification(0.6, "x 1"),
        Identification(0.6, "x 1"),
    ]
    definitions = [metric.definition for metric in metrics]
    assert {definition.backend for definition in definitions} == {"x 1"}
    assert len({definition.name for definition in definitions}) == 5
    assert sum("0.6" in definition.text for definition in definitions) == 2
    assert all(metric.needs == {"identity"} for metric in metrics)
