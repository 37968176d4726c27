"""What a logger with pages to look at can do beside taking numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    Best = Literal["min", "max"]

STEP = "trainer/global_step"
"""Lightning's name of the x-axis: optimiser steps, which go on where they were when a run is resumed."""


class Dashboard:
    """A logger that shows more than numbers; what one does not show it leaves as it is here: nothing.

    ``callbacks.Dashboards`` calls these, on the first rank only.
    """

    def begin(self, config: Mapping[str, Any], best: Mapping[str, Best]) -> None:
        """Open the page of a run.

        Args:
            config: plain values: everything that the run was told, with version and git revision.
            best: which value of a logged metric is the best one.

        """

    def show(self, media: Mapping[str, Path], step: int) -> None:
        """Show encoded files (PNG, MP4) under their names."""

    def keep(self, checkpoint: Path) -> None:
        """Store the run's best checkpoint, when that was asked for."""

    def close(self, exit_code: int) -> None:
        """End the page; 0 is success."""
