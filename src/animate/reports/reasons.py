"""Metrics that could not be computed, put together by the reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def by_reason(unavailable: Mapping[str, str]) -> dict[str, list[str]]:
    """Turn reasons by metric into metrics by reason: what lacks the same part is told once."""
    found: dict[str, list[str]] = {}
    for name, reason in unavailable.items():
        found.setdefault(reason, []).append(name)
    return found
