"""What the scorer makes of batches: rows, clips, intervals, what is missing; on one process and on two."""

from __future__ import annotations

import dataclasses
import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from scenes import CLIPS, SIZE, FakeFaces, FakeIdentity, FakeMatte, FakePoints, clip, joined, part

from animate.errors import UserError
from animate.metrics import L1, MSSSIM, PSNR, SSIM, Annotators, Definition, FrameMetric, FrameScores, Scorer
from animate.metrics.evaluation import COPY_FIRST_FRAME, MODEL, PREVIOUS_FRAME
from animate.metrics.functional.pixels import l1
from animate.metrics.identity import AED, Identification
from animate.metrics.points import AKD, MKR
from animate.metrics.temporal import Flicker

ROWS = (MODEL, COPY_FIRST_FRAME, PREVIOUS_FRAME)


class Brightness(FrameMetric):
    """A metric of the targets alone."""

    reads_prediction = False
    definition = Definition("brightness", "", "", 0, 1, True, "")

    def per_frame(self, frames) -> FrameScores:
        return FrameScores(frames["target"].double().mean((1, 2, 3)))


def scored(metrics, *outputs, annotators=None, **facts):
    scorer = Scorer(metrics, annotators)
    for output in outputs:
        scorer.update(output)
    return scorer.compute(**facts)


def test_rows_clips_and_summaries_of_a_plain_metric() -> None:
    outputs = [clip(name, frames) for name, frames in CLIPS.items()]
    evaluation = scored([L1()], *outputs)
    every = joined(*outputs)
    expected = {
        MODEL: l1(every["prediction"], every["target"]),
        COPY_FIRST_FRAME: l1(every["source"], every["target"]),
        PREVIOUS_FRAME: torch.cat(
            [l1(torch.cat([o["source"][:1], o["target"][:-1]]), o["target"]) for o in outputs]
        ),
    }
    for row in ROWS:
        summary = evaluation.rows[row]["l1"]
        assert summary.value == pytest.approx(expected[row].mean().item(), rel=1e-9)
        assert summary.low < summary.value < summary.high
        assert (summary.frames, summary.missing) == (19, 0)
        of_clips = [values.mean().item() for values in expected[row].split(list(CLIPS.values()))]
        assert [found.values[row]["l1"] for found in evaluation.clips] == pytest.approx(of_clips)
    assert [(found.name, found.frames) for found in evaluation.clips] == list(CLIPS.items())
    assert [definition.name for definition in evaluation.definitions] == ["l1"]


def test_the_previous_frame_of_a_clips_first_is_its_source() -> None:
    output = part(clip("a", 4), slice(1, 4))  # frames 1 to 3, as a model predicts them
    found = scored([L1()], output).rows[PREVIOUS_FRAME]["l1"].value
    before = torch.cat([output["source"][:1], output["target"][:-1]])
    assert found == pytest.approx(l1(before, output["target"]).mean().item())


def test_other_rows_bring_their_predictions_along() -> None:
    """Each of them is scored by every metric, and looked at once while it stays the same."""
    outputs = [clip(name, frames) for name, frames in CLIPS.items()]
    still = torch.full((3, *SIZE), 0.6)
    for output in outputs:
        others = {"half": output["target"] / 2, "still": still.expand_as(output["target"])}
        output["baselines"] = others
    points = FakePoints()
    annotators = Annotators(points={"pose": points}, identity=FakeIdentity())
    scorer = Scorer([L1(), Identification(0.1), AKD("pose")], annotators, rows=(MODEL, "half", "still"))
    for output in outputs:
        scorer.update(output)
    evaluation = scorer.compute()
    assert {row: set(found) for row, found in evaluation.rows.items()} == {
        row: {"l1", "identification", "akd_pose"} for row in (MODEL, "half", "still")
    }
    targets = torch.cat([output["target"] for output in outputs]).double()
    assert evaluation.rows["half"]["l1"].value == pytest.approx((targets / 2).mean().item(), rel=1e-6)
    assert evaluation.rows["still"]["l1"].value == pytest.approx(
        (targets - 0.6).abs().mean().item(), rel=1e-6
    )
    assert set(evaluation.clips[0].values) == {MODEL, "half", "still"}
    assert len(points.seen) == 3 * 19 + 5 + 1, (
        "predictions, targets, halves; a source a clip; one still picture"
    )


@pytest.mark.parametrize("cuts", [(0, 19), (0, 1, 2, 3, 7, 12, 19), (0, 5, 5, 19), tuple(range(20))])
def test_how_frames_are_cut_into_batches_changes_nothing(cuts) -> None:
    every = joined(*(clip(name, frames) for name, frames in CLIPS.items()))
    annotators = Annotators(points={"landmarks": FakePoints()}, identity=FakeIdentity())

    def metrics():
        return [L1(), AKD("landmarks"), AED(), Identification(0.1), Flicker()]

    whole = scored(metrics(), every, annotators=annotators)
    batches = [part(every, slice(*cut)) for cut in pairwise(cuts)]
    assert_equal(scored(metrics(), *batches, annotators=annotators), whole)


def assert_equal(one, other) -> None:
    """Equal to rounding, NaN being equal to NaN; without where they come from."""

    def flat(value, path=""):
        if dataclasses.is_dataclass(value):
            value = dataclasses.asdict(value)
        if isinstance(value, dict):
            value = list(value.items())
        if isinstance(value, (list, tuple)):
            for number, entry in enumerate(value):
                yield from flat(entry, f"{path}.{number}")
        else:
            yield path, value

    found, expected = dict(flat(one)), dict(flat(other))
    assert found.keys() == expected.keys()
    for path, value in expected.items():
        wanted = pytest.approx(value, rel=1e-9, nan_ok=True) if isinstance(value, float) else value
        assert found[path] == wanted, path


def test_each_picture_is_looked_at_once_and_only_when_needed() -> None:
    output = clip("a", 4)
    points, identity, matte = FakePoints(), FakeIdentity(), FakeMatte()
    annotators = Annotators(points={"pose": points}, identity=identity, person=matte)
    scored(
        [AKD("pose"), MKR("pose"), L1()],
        part(output, slice(0, 2)),
        part(output, slice(2, 4)),
        annotators=annotators,
    )
    assert len(points.seen) == 4 + 4 + 1, "predictions, targets, one source"
    assert not identity.seen
    assert not matte.seen
    # a matte is cut out of targets, for all metrics of a region together
    scored([L1("person"), SSIM("person", inside=False)], output, annotators=annotators)
    assert len(matte.seen) == 4
    assert len(points.seen) == 9


def test_baselines_have_what_was_found_in_their_own_pictures() -> None:
    outputs = [clip(name, frames) for name, frames in CLIPS.items()]
    finder = FakePoints()
    evaluation = scored([MKR("pose")], *outputs, annotators=Annotators(points={"pose": finder}))

    def there(pictures: torch.Tensor) -> np.ndarray:
        return (pictures[:, 0, 0, 0].numpy() * 255).round() / 127.5 - 1 > -0.5

    rates = dict.fromkeys(ROWS, 0.0)
    for output in outputs:
        target = there(output["target"])
        predictions = {
            MODEL: there(output["prediction"]),
            COPY_FIRST_FRAME: there(output["source"]),
            PREVIOUS_FRAME: np.concatenate([there(output["source"][:1]), target[:-1]]),
        }
        for row, found in predictions.items():
            rates[row] += (target & ~found).sum()
    shown = sum(there(output["target"]).sum() for output in outputs)
    assert rates[PREVIOUS_FRAME] > 0
    for row in ROWS:
        assert evaluation.rows[row]["mkr_pose"].value == pytest.approx(rates[row] / shown)


def test_what_was_not_found_is_counted_per_row_and_clip() -> None:
    output = clip("a", 4)
    output["prediction"][1:3, 0, 0, 0] = 0
    output["target"][:, 0, 0, 0] = 1
    output["source"][:, 0, 0, 0] = 1
    evaluation = scored([AED()], output, clip("b", 1), annotators=Annotators(identity=FakeIdentity()))
    summary = evaluation.rows[MODEL]["aed"]
    assert (summary.missing, summary.frames) == (2, 3)
    assert evaluation.clips[0].missing == {MODEL: {"aed": 2}}
    assert evaluation.clips[1].missing == {}


def test_what_the_data_know_already_is_not_looked_for() -> None:
    output, matte = clip("a", 4), FakeMatte()
    mask = torch.zeros(4, 1, *SIZE)
    mask[:, :, 3:7] = 1
    evaluation = scored(
        [L1("person"), L1("hole")],
        output | {"masks": {"person": mask}, "mask": 1 - mask},
        annotators=Annotators(person=matte),
    )
    assert not matte.seen
    inside = l1(output["prediction"], output["target"], mask).mean().item()
    assert evaluation.rows[MODEL]["l1_inside_person"].value == pytest.approx(inside)
    hole = l1(output["prediction"], output["target"], 1 - mask).mean().item()
    assert evaluation.rows[MODEL]["l1_inside_hole"].value == pytest.approx(hole)


def test_a_face_is_the_pixels_in_the_surest_box() -> None:
    output = clip("a", 3)
    evaluation = scored([L1("face")], output, annotators=Annotators(face=FakeFaces()))
    expected = l1(output["prediction"][..., :2, :3], output["target"][..., :2, :3]).mean().item()
    assert evaluation.rows[MODEL]["l1_inside_face"].value == pytest.approx(expected)


def test_metrics_of_targets_and_of_sets_leave_out_rows_that_say_nothing() -> None:
    evaluation = scored(
        [Brightness(), Identification(0.1)],
        clip("a", 4),
        clip("c", 6),
        annotators=Annotators(identity=FakeIdentity()),
    )
    assert {row: set(found) for row, found in evaluation.rows.items()} == {
        MODEL: {"brightness", "identification"},
        COPY_FIRST_FRAME: {"identification"},
        PREVIOUS_FRAME: set(),
    }
    summary = evaluation.rows[MODEL]["identification"]
    assert math.isnan(summary.low)
    assert summary.frames + summary.missing == 10
    assert "identification" not in evaluation.clips[0].values[MODEL]


def test_a_metric_that_refuses_the_pictures_does_not_end_the_evaluation() -> None:
    evaluation = scored(
        [L1(), MSSSIM(), AKD("pose")],
        clip("a", 2),
        unavailable={"fid": "weights not available: x"},
        warnings=["lossy"],
        provenance={"codec": "png"},
        skipped=["z: broken"],
    )
    assert list(evaluation.rows[MODEL]) == ["l1"]
    assert evaluation.unavailable.keys() == {"fid", "ms_ssim", "akd_pose"}
    assert "at least 161 px" in evaluation.unavailable["ms_ssim"]
    assert "choose a back-end" in evaluation.unavailable["akd_pose"]
    assert (evaluation.warnings, evaluation.skipped) == (["lossy"], ["z: broken"])
    assert evaluation.provenance == {"codec": "png"}


def test_no_frames_are_no_numbers() -> None:
    evaluation = scored([L1(), Identification(0.1)])
    assert math.isnan(evaluation.rows[MODEL]["l1"].value)
    assert math.isnan(evaluation.rows[MODEL]["identification"].value)
    assert evaluation.clips == []


def test_the_metrics_handed_in_stay_as_they_are() -> None:
    metric = PSNR()
    scorer = Scorer([metric])
    scorer.update(clip("a", 2))
    assert metric.count == 0
    identification = Identification(0.1)
    one, other = (Scorer([identification], Annotators(identity=FakeIdentity())) for _ in range(2))
    one.update(clip("a", 4))
    assert other.compute().rows[MODEL]["identification"].frames == 0
    assert sum(map(len, identification.clip_ids)) == 0


def test_bad_frames_are_named() -> None:
    output = clip("a", 3)
    with pytest.raises(UserError, match="l1 is named twice"):
        Scorer([L1(), L1()])
    with pytest.raises(
        UserError, match="clip a: prediction, target and source differ in size: 20x16 and 9x16"
    ):
        Scorer([L1()]).update(output | {"prediction": output["prediction"][..., :9]})
    output["prediction"][2, 0, 0, 0] = torch.nan
    with pytest.raises(UserError, match="clip a: the prediction of frame 2 holds NaN or infinity"):
        Scorer([L1()]).update(output)


def everything() -> Scorer:
    metrics = [L1(), SSIM(), L1("person"), AKD("pose"), AED(), Identification(0.1), Flicker(), Brightness()]
    return Scorer(metrics, Annotators({"pose": FakePoints()}, FakeIdentity(), FakeMatte()))


def on_one_of_two(rank: int, whole) -> None:
    scorer = everything()
    for name in list(CLIPS)[rank::2]:  # three clips and two: shards are not padded
        scorer.update(clip(name, CLIPS[name]))
    assert_equal(scorer.compute(skipped=[f"{rank}: broken"]), whole)
    alone = Scorer([Identification(0.1)], Annotators(identity=FakeIdentity()))
    if rank == 0:  # the other process has no clip at all
        alone.update(clip("a", 4))
    assert alone.compute().rows[MODEL]["identification"].value == 1


def test_two_processes_say_the_same_as_one(on_two_processes) -> None:
    one = everything()
    for name, frames in CLIPS.items():
        one.update(clip(name, frames))
    whole = one.compute(skipped=["0: broken", "1: broken"])
    assert whole.rows[MODEL]["aed"].missing > 0
    on_two_processes(on_one_of_two, whole)


def test_memory_does_not_grow_with_the_frames() -> None:
    scorer = everything()
    sizes = []
    for start in range(0, 400, 40):
        long = clip("a", 40)
        scorer.update(long | {"frame": list(range(start, start + 40))})
        sizes.append(held(scorer))
    assert sizes[1] == sizes[-1]


def held(value, seen=None) -> int:
    """Numbers in all tensors and strings in all lists that can be reached from a value."""
    seen = set() if seen is None else seen
    if id(value) in seen or isinstance(value, (FakePoints, FakeIdentity, FakeMatte)):
        return 0
    seen.add(id(value))
    if isinstance(value, torch.Tensor):
        return value.untyped_storage().nbytes()
    if isinstance(value, dict):
        return sum(held(key, seen) + held(entry, seen) for key, entry in value.items())
    if isinstance(value, (list, tuple, set)):
        return len(value) + sum(held(entry, seen) for entry in value)
    return held(vars(value), seen) if hasattr(value, "__dict__") and not callable(value) else 0
