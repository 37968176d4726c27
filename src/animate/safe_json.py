"""JSON that somebody else may have written."""

from __future__ import annotations

import json
import math
from typing import Any

_DIGITS = 19
"""Of a whole number: no number of 64 bits has more."""
_LARGEST = 2**63 - 1


def loads(text: str | bytes) -> Any:
    """Read JSON as ``json.loads`` does, and only what the rest of a program can compute with.

    Raises:
        ValueError: it is no JSON, nested too deep, or holds a number beyond 64 bits.

    """
    try:
        return json.loads(text, parse_int=_whole, parse_float=_finite, parse_constant=_constant)
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def _whole(digits: str) -> int:
    value = int(digits) if len(digits) <= _DIGITS + 1 else math.inf
    if abs(value) > _LARGEST:
        raise ValueError(f"the number {_short(digits)} is too large")
    return int(value)


def _finite(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise ValueError(f"the number {_short(digits)} is too large")
    return value


def _constant(name: str) -> float:
    """NaN stands for what is missing in files of other programs."""
    if name != "NaN":
        raise ValueError(f"{name} is no number")
    return math.nan


def _short(digits: str) -> str:
    return digits if len(digits) <= _DIGITS else f"{digits[:_DIGITS]}..."
