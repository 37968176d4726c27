"""Small charts as inline SVG; their colours are classes of the page's style sheet."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

from animate.reports.numbers import number_format, shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_WIDTH, _HEIGHT, _BASE = 320.0, 140.0, 118.0
_TOP = 8.0
_FEWEST_BINS, _MOST_BINS = 6, 24


def histogram(values: Sequence[float], baseline: Sequence[float] = ()) -> Markup:
    """Draw how many clips have which value: bars, and a line for a baseline on the same bins.

    Numbers that are not finite are left out. There are as many bins as the square root of the number of
    values, 6 to 24, from the lowest to the highest of both.

    Returns:
        An ``<svg>`` element; one that says so when there is nothing to draw.

    """
    bars, line = _finite(values), _finite(baseline)
    if not len(bars):
        return Markup('<p class="quiet">no clip has a value</p>')
    edges = bin_edges(np.concatenate([bars, line]), len(bars))
    counts, others = np.histogram(bars, edges)[0], np.histogram(line, edges)[0]
    highest = max(counts.max(), others.max())
    specification = number_format(edges)
    drawn = [_bar(i, int(count), edges, highest, specification) for i, count in enumerate(counts)]
    if len(line):
        drawn.append(_steps(others / highest))
    axis = _axis(shown(edges[0], specification), shown(edges[-1], specification), int(highest))
    return Markup(
        f'<svg class="histogram" viewBox="0 0 {_WIDTH:g} {_HEIGHT:g}" role="img" aria-label="histogram over'
        f' {len(bars)} clips">{"".join(drawn)}{axis}</svg>'
    )


def _finite(values: Sequence[float]) -> NDArray[np.float64]:
    array = np.asarray(values, np.float64)
    return array[np.isfinite(array)]


def bin_edges(values: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Divide the range of the values evenly; a range of no width is widened by a hundredth of the value."""
    low, high = float(values.min()), float(values.max())
    if high <= low:
        margin = abs(low) / 100 or 0.01
        low, high = low - margin, high + margin
    return np.linspace(low, high, min(_MOST_BINS, max(_FEWEST_BINS, math.isqrt(count))) + 1)


def _bar(number: int, count: int, edges: NDArray[np.float64], highest: int, specification: str) -> str:
    width, height = _WIDTH / (len(edges) - 1), (_BASE - _TOP) * count / highest
    span = f"{shown(edges[number], specification)} to {shown(edges[number + 1], specification)}"
    return (
        f'<rect class="bar" x="{number * width + 0.75:.2f}" width="{width - 1.5:.2f}"'
        f' y="{_BASE - height:.2f}" height="{height:.2f}"><title>{span}: {count}</title></rect>'
    )


def _steps(heights: NDArray[np.float64]) -> str:
    width = _WIDTH / len(heights)
    path = [f"M0 {_BASE:g}"]
    for i, height in enumerate(heights):
        path.append(f"V{_BASE - (_BASE - _TOP) * height:.2f}H{(i + 1) * width:.2f}")
    return f'<path class="outline" d="{"".join(path)}V{_BASE:g}"/>'


def _axis(low: str, high: str, highest: int) -> str:
    below = _HEIGHT - 6
    return (
        f'<path class="axis" d="M0 {_BASE:g}H{_WIDTH:g}"/>'
        f'<text x="0" y="{below:g}">{low}</text>'
        f'<text x="{_WIDTH:g}" y="{below:g}" text-anchor="end">{high}</text>'
        f'<text x="{_WIDTH / 2:g}" y="{below:g}" text-anchor="middle">highest bar: {highest}</text>'
    )


def whisker(value: float, low: float, high: float, reach: float) -> Markup:
    """Draw a difference with its interval on an axis from ``-reach`` to ``reach``, with a line at zero."""
    if not all(map(math.isfinite, (value, low, high, reach))) or reach <= 0:
        return Markup("")
    middle, half = 80.0, 74.0
    x, left, right = (middle + half * max(-1.0, min(1.0, number / reach)) for number in (value, low, high))
    return Markup(
        '<svg class="whisker" viewBox="0 0 160 16" aria-hidden="true">'
        f'<path class="axis" d="M{middle:g} 0V16"/><path class="reach" d="M{left:.1f} 8H{right:.1f}"/>'
        f'<circle class="dot" cx="{x:.1f}" cy="8" r="3.5"/></svg>'
    )
