"""Training and evaluation: the only place that knows Hydra, Lightning's trainer and the loggers.

Imports stand inside the functions: modules take ``training.optim`` from here without paying for Hydra.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(overrides: Sequence[str] | None = None) -> None:
    """Train as the command line says; ends with exit code 0, 1 (a defect), 2, 130 or 143."""
    from animate.training import app, run

    app.launch(run.train, "train", overrides)


def evaluate_main(overrides: Sequence[str] | None = None) -> None:
    """``evaluate.py``: score a checkpoint; the same exit codes as :func:`main`."""
    from animate.training import app, evaluate

    app.launch(evaluate.evaluate, "evaluate", overrides)
