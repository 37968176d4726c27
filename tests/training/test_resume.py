"""A run that was stopped anywhere and resumed equals, to the bit, one that was never stopped."""

from __future__ import annotations

import pytest
from harness import Run, StopAt, train

EPOCHS = {"max_epochs": 4}
STEPS = {"max_epochs": -1, "max_steps": 17}


def both_ways(folder, stop, first=None, second=None, **settings) -> tuple[Run, Run, Run]:
    whole = train(folder / "whole", **settings, **(second or {}))
    before = train(folder / "parts", StopAt(*stop) if stop else None, **settings, **(first or second or {}))
    after = train(folder / "parts", resume=True, **settings, **(second or {}))
    return whole, before, after


def assert_same(whole: Run, before: Run, after: Run) -> None:
    assert before.module.seen, "the first part trained nothing: this test could not fail"
    assert after.module.seen, "the second part trained nothing: this test could not fail"
    assert whole.module.seen == before.module.seen + after.module.seen  # samples and losses, in order
    assert whole.diary.steps == before.diary.steps + after.diary.steps  # counters and learning rates
    assert after.equals(whole)


@pytest.mark.parametrize("limit", [EPOCHS, STEPS], ids=["epochs", "steps"])
@pytest.mark.parametrize(
    "stop", [("epoch", 1, 0), ("batch", 1, 2), ("validation", 1, 1)], ids=lambda stop: stop[0]
)
def test_resumes_from_every_kind_of_save(tmp_path, limit, stop) -> None:
    parts = both_ways(tmp_path, stop, second=limit)
    assert_same(*parts)
    whole, before, after = parts
    # a validation that was cut short runs again, one that was complete does not
    assert whole.diary.validations == before.diary.validations + after.diary.validations
    assert whole.diary.epochs == before.diary.epochs + after.diary.epochs


@pytest.mark.parametrize(
    "stop", [("epoch", 0, 0), ("batch", 1, 3), ("validation", 1, 0)], ids=lambda stop: stop[0]
)
def test_resumes_with_accumulation_and_averaged_weights(tmp_path, stop) -> None:
    assert_same(*both_ways(tmp_path, stop, second=EPOCHS, accumulation=2, ema=True))


def test_resumes_with_workers(tmp_path) -> None:
    assert_same(*both_ways(tmp_path, ("batch", 1, 2), second={"max_epochs": 2}, workers=2))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"max_epochs": -1, "max_steps": 8}, STEPS),
        ({"max_epochs": -1, "max_steps": 8}, EPOCHS | {"max_steps": -1}),
        ({"max_epochs": 2}, STEPS),
    ],
    ids=["more steps", "steps, then epochs", "epochs, then steps"],
)
def test_goes_on_after_a_limit_was_reached(tmp_path, first, second) -> None:
    assert_same(*both_ways(tmp_path, None, first=first, second=second))
