"""The results of a sweep as one table: printed and saved when the sweep ends, however it ends."""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf
from rich.console import Console
from rich.table import Table

from animate.training.redaction import without_secrets

if TYPE_CHECKING:
    from omegaconf import DictConfig

FILE = "results.csv"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One job of a sweep."""

    job: int
    settings: dict[str, str]
    """Its overrides, as they were written."""
    score: float | None
    """What the sweeper sees; None when the job failed, or measured nothing."""
    done: bool
    seconds: float
    run_folder: str


@dataclass(slots=True)
class Results:
    """Gathers the outcomes of the jobs that run in this process, as Hydra's own launcher runs them."""

    outcomes: list[Outcome] = field(default_factory=list)
    folder: Path | None = None
    measure: str = "score"

    def add(self, config: DictConfig, score: float | None, done: bool, seconds: float) -> None:
        """Note what became of the running job."""
        hydra = HydraConfig.get()
        self.folder = Path(hydra.sweep.dir)
        self.measure = str(OmegaConf.select(config, "callbacks.checkpoints.monitor", default="score"))
        _hide_secrets(self.folder / "multirun.yaml")
        settings = without_secrets(
            dict(override.split("=", 1) for override in hydra.overrides.task if "=" in override)
        )
        run_folder = str(config.get("run_folder") or "")
        self.outcomes.append(Outcome(int(hydra.job.num), settings, score, done, seconds, run_folder))

    def report(self) -> None:
        """Print the table and write it to ``results.csv`` in the sweep's folder; nothing without a sweep."""
        if self.folder is None:
            return
        header, *rows = self.table()
        shown = Table(title="results of the sweep, the best first")
        for name in header:
            shown.add_column(name, overflow="fold")  # whole on a narrow screen, too
        for *cells, run_folder in rows:
            shown.add_row(*cells, _from_here(run_folder))
        Console().print(shown)
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / FILE).open("w", newline="") as file:
            csv.writer(file).writerows([header, *rows])
        print(f"written to {self.folder / FILE}")

    def table(self) -> list[list[str]]:
        """Return header and rows: the settings that differ between jobs, the score (the lowest first)."""
        varied = [
            name
            for name in dict.fromkeys(name for outcome in self.outcomes for name in outcome.settings)
            if len({outcome.settings.get(name) for outcome in self.outcomes}) > 1
        ]
        ordered = sorted(self.outcomes, key=_rank)
        header = ["job", *varied, self.measure, "seconds", "run"]
        return [header, *(self._row(outcome, varied) for outcome in ordered)]

    def _row(self, outcome: Outcome, varied: list[str]) -> list[str]:
        score = "" if outcome.score is None else f"{outcome.score:.6g}"
        return [
            str(outcome.job),
            *(outcome.settings.get(name, "") for name in varied),
            score if outcome.done else "failed",
            f"{outcome.seconds:.0f}",
            outcome.run_folder,
        ]


def _hide_secrets(written: Path) -> None:
    """Take out of what Hydra has written down what stands in nothing else that a run leaves."""
    if written.is_file():
        config = without_secrets(OmegaConf.to_container(OmegaConf.load(written)))
        OmegaConf.save(OmegaConf.create(config), written)


def _from_here(folder: str) -> str:
    """Shorten the path of a folder below the working folder."""
    return str(Path(folder).relative_to(Path.cwd())) if Path(folder).is_relative_to(Path.cwd()) else folder


def _rank(outcome: Outcome) -> tuple[Any, ...]:
    """Lowest score first, then the jobs without one, then the failed ones."""
    known = outcome.score is not None
    return (not outcome.done, not known, outcome.score if known else 0.0, outcome.job)
