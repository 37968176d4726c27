from __future__ import annotations

import math

import pytest

from animate.reports.numbers import best_value, interval, number_format, shown


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.0685, 0.1], ["0.0685", "0.1000"]),
        ([0.0685], ["0.06850"]),
        ([23.4567, 7.0], ["23.46", "7.00"]),
        ([1234.5, -1.0], ["1234", "−1"]),
        ([9.99e-5], ["9.990e−05"]),
        ([2e7], ["2.000e+07"]),
        ([0.0, math.nan, math.inf, -math.inf], ["0.0000", "–", "∞", "−∞"]),
        ([math.inf, 20.0], ["∞", "20.00"]),
    ],
)
def test_one_metric_has_one_number_of_decimals(values, expected):
    specification = number_format(values)
    assert [shown(value, specification) for value in values] == expected


def test_intervals():
    assert interval(-1.0, 2.0, ".1f") == "[−1.0, 2.0]"
    assert interval(math.nan, 2.0, ".1f") == ""
    assert shown(0.5, "+.1f") == "+0.5"


@pytest.mark.parametrize(
    ("values", "up", "best"),
    [([1, 2, math.nan], True, 2), ([1, 2], False, 1), ([2, math.inf], True, math.inf)],
)
def test_the_best(values, up, best):
    assert best_value(values, up) == best


@pytest.mark.parametrize("values", [[], [1.0], [math.nan], [2.0, 2.0]])
def test_no_best_where_none_is_better(values):
    assert math.isnan(best_value(values, True))
