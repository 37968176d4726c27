from __future__ import annotations

import math
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from animate.reports.svg import bin_edges, histogram, whisker


def bars(svg):
    return list(ET.fromstring(str(svg)).iter("rect"))


def counts(svg):
    """What the bars say: their labels, and their heights in units of the highest."""
    said = [int(r.find("title").text.rsplit(": ", 1)[1]) for r in bars(svg)]
    heights = np.array([float(r.get("height")) for r in bars(svg)])
    return said, heights


def test_bars_are_the_counts():
    rng = np.random.default_rng(0)
    values = rng.normal(size=100)
    said, heights = counts(histogram(values))
    expected = np.histogram(values, 10)[0]  # as many bins as the square root of 100
    assert said == list(expected)
    np.testing.assert_allclose(heights / heights.max(), expected / expected.max(), atol=1e-3)


def test_a_baseline_shares_the_bins():
    svg = histogram([0.0, 1.0], [2.0, 3.0, 3.0])
    said, heights = counts(svg)
    assert said == [1, 0, 1, 0, 0, 0]
    outline = ET.fromstring(str(svg)).find("path[@class='outline']").get("d")
    assert outline.startswith("M0 118V118.00H53.33")
    assert outline.endswith("V8.00H320.00V118")  # the two threes are the highest
    assert heights.max() == pytest.approx(55)


def test_what_is_not_finite_is_left_out():
    assert sum(counts(histogram([1.0, math.nan, math.inf, 2.0]))[0]) == 2
    assert "no clip has a value" in histogram([math.nan])
    assert "no clip has a value" in histogram([], [1.0])


@pytest.mark.parametrize("value", [0.0, 5.0, -3.0])
def test_equal_values_have_a_width(value):
    edges = bin_edges(np.full(4, value), 4)
    assert np.all(np.diff(edges) > 0)
    assert edges[0] < value < edges[-1]
    assert sum(counts(histogram([value] * 4))[0]) == 4


def test_whisker_lies_where_the_numbers_are():
    svg = ET.fromstring(str(whisker(0.5, 0.0, 1.0, 1.0)))
    assert float(svg.find("circle").get("cx")) == pytest.approx(80 + 74 / 2)
    assert svg.find("path[@class='reach']").get("d") == "M80.0 8H154.0"
    assert whisker(math.nan, 0, 0, 1) == ""
    assert whisker(0, 0, 0, 0) == ""
