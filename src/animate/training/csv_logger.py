"""A log that every spreadsheet opens: one row per logged step."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytorch_lightning.loggers import Logger
from pytorch_lightning.utilities import rank_zero_only
from typing_extensions import override

from animate.video.atomic import explain, temporary_file

if TYPE_CHECKING:
    from argparse import Namespace


class CsvLogger(Logger):
    """Appends to ``<folder>/metrics.csv``; a value that a step did not log leaves its cell empty.

    Lightning's own class deletes the earlier rows of a run that is resumed. Here they stay, but for those of
    steps after the checkpoint, which will be taken again.

    Args:
        folder: where ``metrics.csv`` goes.

    """

    def __init__(self, folder: str) -> None:
        super().__init__()
        self.path = Path(folder) / "metrics.csv"
        self._columns: list[str] = []
        self._row: dict[str, float] = {}
        self._row_begins = 0
        self._begun = False

    @property
    def name(self) -> str:
        """The run's folder, for Lightning's messages."""
        return self.path.parent.name

    @property
    def version(self) -> str:
        """There is one log per run folder."""
        return ""

    @override
    @rank_zero_only
    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """Nothing to do: the run folder holds the whole config."""

    @override
    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Write values into the row of a step: the last one, or a new one."""
        step = -1 if step is None else step
        if not self._begun:
            self._take_up(step)
        if self._row.get("step") != step:
            self._row, self._row_begins = {"step": step}, _size(self.path)
        self._row |= {name: float(value) for name, value in metrics.items()}
        new = [name for name in self._row if name not in self._columns]
        if new:
            self._columns += new
            self._rewrite([row for row in self._read() if int(row["step"]) != step])
            self._row_begins = _size(self.path)
        self._write_row()

    def _write_row(self) -> None:
        try:
            with self.path.open("r+", newline="") as file:
                file.seek(self._row_begins)
                file.truncate()
                csv.DictWriter(file, self._columns).writerow(self._row)
        except OSError as error:
            raise explain(self.path, error) from error

    def _take_up(self, step: int) -> None:
        """Go on with the file of an earlier part of this run, up to ``step``."""
        self._begun = True
        rows = self._read()
        if rows:
            self._columns = list(rows[0])
            self._rewrite([row for row in rows if int(row["step"]) < step])

    def _read(self) -> list[dict[str, str]]:
        """Read all rows but one that a full disk has cut short, the last."""
        if not self.path.is_file():
            return []
        with self.path.open(newline="") as file:
            return list(csv.DictReader(line for line in file if line.endswith("\n")))

    def _rewrite(self, rows: list[dict[str, str]]) -> None:
        """Write the whole file anew, under a temporary name first."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with temporary_file(self.path) as temporary, temporary.open("w", newline="") as file:
            writer = csv.DictWriter(file, self._columns)
            writer.writeheader()
            writer.writerows(rows)


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0
