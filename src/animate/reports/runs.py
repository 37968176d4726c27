"""The evaluations that a comparison reads: found in folders, named apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from animate import safe_json
from animate.errors import UserError
from animate.reports.record import METRICS, is_record, read_record

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from animate.metrics.evaluation import Evaluation


@dataclass(frozen=True, slots=True)
class Run:
    """An evaluation and what to call it."""

    label: str
    """The shortest end of the named folder's path that tells it from the other runs."""
    folder: Path
    """Where its ``metrics.json`` lies."""
    evaluation: Evaluation


def load_runs(named: Sequence[Path]) -> list[Run]:
    """Read the evaluation of each folder, see :func:`find_evaluation`.

    Raises:
        UserError: one of them has none, or it cannot be read; fewer than two; one is named twice.

    """
    if len(named) < 2:
        raise UserError("name at least two runs to compare")
    folders = [find_evaluation(folder) for folder in named]
    for i, folder in enumerate(folders):
        if folder.resolve() in (earlier.resolve() for earlier in folders[:i]):
            raise UserError(f"{folder} is named twice; name every run once")
    return [
        Run(label, folder, read_record(folder / METRICS))
        for label, folder in zip(labels(named), folders, strict=True)
    ]


def find_evaluation(folder: Path) -> Path:
    """Find the folder of an evaluation: the named one, or the newest that lies anywhere in it.

    Raises:
        UserError: there is none.

    """
    if not folder.is_dir():
        problem = "is a file" if folder.exists() else "does not exist"
        raise UserError(f"{folder} {problem}; name the folder of an evaluation or of a run")
    if (folder / METRICS).is_file():
        return folder
    found = [path for path in folder.rglob(METRICS) if not _hidden(path, folder) and _is_evaluation(path)]
    if not found:
        raise UserError(f"{folder} holds no evaluation (no {METRICS}); run `animate evaluate` first")
    return max(found, key=lambda path: (path.stat().st_mtime_ns, path)).parent


def _hidden(path: Path, folder: Path) -> bool:
    """Tell whether a path leads through a hidden folder, like one of those that results are prepared in."""
    return any(part.startswith(".") for part in path.relative_to(folder).parts)


def _is_evaluation(path: Path) -> bool:
    """Tell an evaluation from other files of this name."""
    try:
        return is_record(safe_json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return False


def labels(folders: Sequence[Path]) -> list[str]:
    """Call each folder by as many of its last names as it takes to tell all apart."""
    parts = [folder.resolve().parts for folder in folders]
    count = next(
        (n for n in range(1, max(map(len, parts)) + 1) if len({p[-n:] for p in parts}) == len(parts)), 1
    )
    return ["/".join(p[-count:]) for p in parts]
