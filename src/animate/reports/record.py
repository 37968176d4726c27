"""An evaluation in files: ``metrics.json`` for machines, ``per_clip.csv`` for spreadsheets.

The JSON is strict: NaN is ``null``, the infinities are the strings ``"inf"`` and ``"-inf"``. It begins with
``format`` and ``version``, so that a reader knows at once whether it understands the rest.
"""

from __future__ import annotations

import csv
import json
import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from animate import safe_json
from animate.errors import UserError
from animate.metrics.base import Definition
from animate.metrics.evaluation import MODEL, ClipResult, Evaluation, Summary

if TYPE_CHECKING:
    from pathlib import Path

METRICS = "metrics.json"
PER_CLIP = "per_clip.csv"
FORMAT = "animate evaluation"
VERSION = 1
_INFINITE = {"inf": math.inf, "-inf": -math.inf}


def write_record(evaluation: Evaluation, path: Path) -> None:
    """Write ``metrics.json``; :func:`read_record` gives an equal evaluation back."""
    write_json({"format": FORMAT, "version": VERSION, **asdict(evaluation)}, path)


def write_json(content: dict[str, Any], path: Path) -> None:
    """Write plain values as strict JSON, under the rule for NaN and infinities of this module.

    Other characters than ASCII are escaped, so that file names which are no text can be written as well.
    """
    path.write_text(json.dumps(_plain(content), indent=1, allow_nan=False) + "\n", encoding="ascii")


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    return value


def read_record(path: Path) -> Evaluation:
    """Read ``metrics.json``.

    Raises:
        UserError: it cannot be read, is something else, was written by another version, or is damaged.

    """
    content = _read_json(path)
    if not is_record(content):
        raise UserError(f"{path} is no evaluation; name a folder that `animate evaluate` wrote")
    if content.get("version") != VERSION:
        raise UserError(
            f"{path} has format version {content.get('version')}, this program reads {VERSION};"
            " evaluate again, or use the version of animate that wrote it"
        )
    try:
        return _evaluation(content)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(f"{path} is damaged ({type(error).__name__}: {error}); evaluate again") from error


def _read_json(path: Path) -> Any:
    try:
        return safe_json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}; name a folder of an evaluation") from None
    except ValueError as error:
        raise UserError(f"{path} is no JSON ({error}); evaluate again") from None


def is_record(content: Any) -> bool:
    """Tell whether the content of a JSON file is an evaluation, of whatever version."""
    return isinstance(content, dict) and content.get("format") == FORMAT


def _evaluation(content: dict[str, Any]) -> Evaluation:
    return Evaluation(
        definitions=[_definition(entry) for entry in content["definitions"]],
        rows={
            row: {metric: _summary(entry) for metric, entry in summaries.items()}
            for row, summaries in content["rows"].items()
        },
        clips=[_clip(entry) for entry in content["clips"]],
        skipped=[str(entry) for entry in content["skipped"]],
        unavailable={str(name): str(reason) for name, reason in content["unavailable"].items()},
        warnings=[str(entry) for entry in content["warnings"]],
        provenance=dict(content["provenance"]),
    )


def _definition(entry: dict[str, Any]) -> Definition:
    return Definition(**{**entry, "low": _number(entry["low"]), "high": _number(entry["high"])})


def _summary(entry: dict[str, Any]) -> Summary:
    value, low, high = (_number(entry[key]) for key in ("value", "low", "high"))
    return Summary(value, low, high, int(entry["frames"]), int(entry["missing"]))


def _clip(entry: dict[str, Any]) -> ClipResult:
    return ClipResult(
        name=str(entry["name"]),
        frames=int(entry["frames"]),
        values={
            row: {metric: _number(value) for metric, value in values.items()}
            for row, values in entry["values"].items()
        },
        missing={
            row: {metric: int(count) for metric, count in counts.items()}
            for row, counts in entry["missing"].items()
        },
    )


def _number(value: Any) -> float:
    if value is None:
        return math.nan
    if isinstance(value, str):
        return _INFINITE[value]
    return float(value)


def write_per_clip(evaluation: Evaluation, path: Path) -> None:
    """Write ``per_clip.csv``: ``clip``, ``frames``, a column for each metric, ``metric@row`` for baselines.

    Numbers stand in full precision; a cell is empty where a metric is not defined or has no value per clip.
    """
    rows = [MODEL, *(row for row in evaluation.rows if row != MODEL)]
    metrics = [definition.name for definition in evaluation.definitions]
    columns = [(row, metric) for row in rows for metric in metrics if metric in evaluation.rows.get(row, {})]
    with path.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file:
        writer = csv.writer(file)
        writer.writerow(("clip", "frames", *(_column(row, metric) for row, metric in columns)))
        for clip in evaluation.clips:
            values = (clip.values.get(row, {}).get(metric, math.nan) for row, metric in columns)
            writer.writerow((clip.name, clip.frames, *(_cell(value) for value in values)))


def _column(row: str, metric: str) -> str:
    return metric if row == MODEL else f"{metric}@{row}"


def _cell(value: float) -> str:
    return "" if math.isnan(value) else repr(float(value))
