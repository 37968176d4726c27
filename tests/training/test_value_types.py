"""Values against the types of the arguments that they are given to."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003  a type that is there when it is asked for
from typing import TYPE_CHECKING, Any, Literal, TypedDict

import pytest

from animate.training.value_types import wrong_values

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from fractions import Fraction as Ratio


class Rates(TypedDict):
    lr: float
    betas: Sequence[float]


class Elsewhere:
    pass


def target(
    *,
    count: int = 1,
    share: float = 0.5,
    flag: bool = False,
    name: str | None = None,
    limit: int | float | None = None,
    mode: Literal["a", "b"] = "a",
    size: tuple[int, int] = (1, 2),
    steps: Sequence[int] = (),
    rates: Mapping[str, Rates] | None = None,
    part: Elsewhere | None = None,
    folder: Path | None = None,
    call: Callable[[int], int] | None = None,
    checked: Ratio | None = None,
    unknown: NotImported | None = None,  # noqa: F821  as under TYPE_CHECKING
    untyped=None,
    **more: Any,
) -> None:
    pass


def wrong(**values) -> list[str]:
    return list(wrong_values({"group": {"_target_": f"{__name__}.target", **values}}))


@pytest.mark.parametrize(
    "values",
    [
        {"count": 3, "share": 1, "flag": True, "name": None, "limit": 0.5, "mode": "b"},
        {"size": [3, 4], "steps": [], "rates": {"part": {"lr": 1, "betas": [0.5, 0.9]}}},
        {"part": {"_target_": "nowhere"}, "unknown": "abc", "untyped": "abc", "more": [1]},
        {"count": "${elsewhere}", "part": "???"},
        {"folder": "abc", "checked": {"_target_": "nowhere"}, "call": {"_target_": "nowhere"}, "part": None},
    ],
)
def test_values_that_fit_are_left_alone(values) -> None:
    assert wrong(**values) == []


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"count": "abc"}, "count must be a whole number, not 'abc'"),
        ({"count": 1.5}, "count must be a whole number, not 1.5"),
        ({"count": True}, "count must be a whole number, not True"),
        ({"count": None}, "count must be a whole number, not None"),
        ({"share": "1e-4x"}, "share must be a number, not '1e-4x'"),
        ({"flag": 1}, "flag must be true or false, not 1"),
        ({"name": 3}, "name must be a text or null, not 3"),
        ({"limit": "abc"}, "limit must be a number or null, not 'abc'"),
        ({"mode": "c"}, "mode must be a or b, not 'c'"),
        ({"size": [1]}, "size must be a list of 2 whole numbers, not [1]"),
        ({"steps": "abc"}, "steps must be a list of whole numbers, not 'abc'"),
        ({"steps": [1, "x"]}, "steps must be a list of whole numbers, not [1, 'x']"),
        ({"rates": "abc"}, "rates must be a group of settings or null, not 'abc'"),
        ({"rates": {"part": 1}}, "rates.part must be a group of settings, not 1"),
        ({"part": "abc"}, "part must be settings whose _target_ makes Elsewhere or null, not 'abc'"),
        # Imported for type checkers only, under another name.
        ({"checked": 0.5}, "checked must be settings whose _target_ makes Fraction or null, not 0.5"),
        ({"call": "abc"}, "call must be settings whose _target_ makes Callable or null, not 'abc'"),
        ({"rates": {"part": {"lr": "abc"}}}, "rates.part.lr must be a number, not 'abc'"),
        (
            {"part": {"_target_": f"{__name__}.target", "count": ""}},
            "part.count must be a whole number, not ''",
        ),
        (
            {"more": [{"_target_": f"{__name__}.target", "flag": 0}]},
            "more[0].flag must be true or false, not 0",
        ),
    ],
)
def test_a_value_of_a_wrong_type_is_named(values, message) -> None:
    assert wrong(**values) == [f"group.{message}"]


def test_a_target_that_is_not_there_is_left_to_hydra() -> None:
    assert list(wrong_values({"_target_": "nowhere.Thing", "count": "abc"})) == []
