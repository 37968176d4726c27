"""The results of a sweep as one table: printed and saved when the sweep ends, however it ends.

Each job leaves its own in a file, wherever a launcher runs it: in this process, in another, on a machine
with the same disk.
"""

from __future__ import annotations

import csv
import json
import os
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from hydra.core.hydra_config import HydraConfig
from hydra.experimental.callback import Callback
from omegaconf import OmegaConf
from rich.console import Console
from rich.table import Table

from animate.redaction import without_secrets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from omegaconf import DictConfig

FILE = "results.csv"
JOBS = "jobs"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One job of a sweep."""

    job: int
    settings: dict[str, str]
    """Its overrides, as they were written."""
    measure: str
    """What the score is."""
    score: float | None
    """What the sweeper sees; None when the job failed, or measured nothing."""
    done: bool
    seconds: float
    run_folder: str


class Sweep(Callback):
    """Hydra's callback that learns where the sweep of this process leaves its results."""

    folder: ClassVar[Path | None] = None

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """Remember the folder; jobs may run in other processes, on other machines."""
        Sweep.folder = Path(config.hydra.sweep.dir).absolute()


@contextmanager
def noted(config: DictConfig) -> Iterator[Callable[[float | None], None]]:
    """Note in the sweep's folder what becomes of the running job; at its end, however it comes.

    Yields:
        To be called with the job's score: it is done then, and has failed where that is never called.

    """
    hydra = HydraConfig.get()
    folder, job = Path(hydra.sweep.dir), int(hydra.job.num)
    _hide_secrets(folder / "multirun.yaml")
    settings = without_secrets(
        dict(override.split("=", 1) for override in hydra.overrides.task if "=" in override)
    )
    measure = str(OmegaConf.select(config, "callbacks.checkpoints.monitor", default="score"))
    begun, scores = time.monotonic(), list[float | None]()

    def note() -> None:
        run_folder = str(config.get("run_folder") or "")
        score, seconds = scores[0] if scores else None, time.monotonic() - begun
        _write(folder, Outcome(job, settings, measure, score, bool(scores), seconds, run_folder))

    note()  # as failed, for the case that it is killed
    try:
        yield scores.append
    finally:
        note()


def _write(folder: Path, outcome: Outcome) -> None:
    (folder / JOBS).mkdir(parents=True, exist_ok=True)
    path = folder / JOBS / f"{outcome.job}.json"
    written = path.with_suffix(f".{os.getpid()}")
    written.write_text(json.dumps(asdict(outcome)))
    written.replace(path)


@dataclass(frozen=True, slots=True)
class Results:
    """The outcomes of the jobs of a sweep."""

    outcomes: Sequence[Outcome]

    @classmethod
    def of(cls, folder: Path) -> Results:
        """Read what jobs have noted in a sweep's folder."""
        paths = sorted((folder / JOBS).glob("*.json"), key=lambda path: int(path.stem))
        return cls([Outcome(**json.loads(path.read_text())) for path in paths])

    @property
    def varied(self) -> list[str]:
        """The settings that differ between jobs."""
        return [
            name
            for name in dict.fromkeys(name for outcome in self.outcomes for name in outcome.settings)
            if len({outcome.settings.get(name) for outcome in self.outcomes}) > 1
        ]

    @property
    def failed(self) -> bool:
        """Whether any job has not come to its end."""
        return any(not outcome.done for outcome in self.outcomes)

    def report(self, folder: Path) -> None:
        """Print the table and the best job, and write the table to ``results.csv`` in the sweep's folder."""
        header, *rows = self.table()
        shown = Table(title="results of the sweep, the best first")
        for name in header:
            shown.add_column(name, overflow="fold")  # whole on a narrow screen, too
        for *cells, run_folder in rows:
            shown.add_row(*cells, _from_here(run_folder))
        Console().print(shown)
        with (folder / FILE).open("w", newline="") as file:
            csv.writer(file).writerows([header, *rows])
        best = min(self.outcomes, key=_rank)
        if best.score is not None:
            settings = " ".join(f"{name}={best.settings.get(name, '')}" for name in self.varied)
            print(f"the best: {settings or 'the only one'}: {best.measure} {best.score:.6g}")
            print(f"its whole configuration: {_from_here(best.run_folder)}/config.yaml")
        print(f"written to {folder / FILE}")

    def table(self) -> list[list[str]]:
        """Return header and rows: the settings that differ between jobs, the score (the lowest first)."""
        varied = self.varied
        ordered = sorted(self.outcomes, key=_rank)
        header = ["job", *varied, ordered[0].measure, "seconds", "run"]
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
