"""The drill: SIGKILL at random moments, then the same command again; nothing torn, results equal to the bit.

``python tests/drills/kill.py --kills 20`` drills every job, ``... --kills 20 training drive`` some of them.

A job runs once without being disturbed. Then, for each kill, it begins in an empty folder, all of its
processes (or, every other time, the first one alone) are killed at a moment of its whole life, from start to
end, and it is begun again until it ends. After each kill every file under its own name must be whole, and no
process left. At the end the results must be those of the undisturbed run, and no temporary name left.

The moments are drawn in time of processors, not of the clock, so that a busy machine moves none of them.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path

from jobs import JOBS, Job
from processes import Crowd
from whole import contents, temporaries

_SOONER = 0.97


@dataclass
class Report:
    """What came of a job."""

    job: str
    lasts: float
    """Seconds of processors, undisturbed."""
    moments: list[float] = field(default_factory=list)
    """Of each kill, in the same."""
    late: int = 0
    """How often all was done before a kill, which then was tried again, somewhat sooner."""
    left: int = 0
    """How many left a temporary name behind, for the next run to remove."""
    wrong: list[str] = field(default_factory=list)
    """What was not as it should be; a line for each kill."""

    def __str__(self) -> str:
        kills = len(self.moments)
        moments = ", ".join(f"{moment:.1f}" for moment in self.moments)
        told = (
            f"{self.job}: {kills - len(self.wrong)} of {kills} fine; lasts {self.lasts:.1f} s of processors,"
            f" killed at {moments}; {self.left} left temporary names, {self.late} more came too late"
        )
        return "\n".join([told, *self.wrong])


@dataclass(frozen=True)
class Drill:
    """A job with its inputs, and what it should come to."""

    job: Job
    folder: Path
    truth: dict[str, str] = field(default_factory=dict)
    """What the files of the undisturbed run hold."""

    @property
    def inputs(self) -> Path:
        """Where they lie."""
        return self.folder / "inputs"

    def begin(self, results: Path, largest: int | None = None) -> Crowd:
        """Start the command, or start it again; it may write files of so many bytes."""
        results.mkdir(exist_ok=True)
        command = self.job.command(self.inputs, results)
        return Crowd(command, results.with_suffix(".log"), self.folder / "cache", largest)

    def to_the_end(self, results: Path) -> float:
        """Run the command undisturbed; return the seconds that it took of processors."""
        crowd = self.begin(results)
        code, used = crowd.work()
        told = results.with_suffix(".log").read_text()
        assert code == 0, f"exit code {code}: {told[-2000:]}"
        assert crowd.gone(), "processes outlive their first one"
        return used

    def kill(self, results: Path, moment: float, alone: bool, report: Report) -> None:
        """Begin, kill, look, and begin again. Raises ``AssertionError`` for what is not as it should be."""
        self.strike(results, moment, alone, report)
        contents(results)
        report.left += bool(temporaries(results))
        self.to_the_end(results)
        self.compare(self.job.results(results))
        for place in (self.job.results(results), self.inputs):
            assert not temporaries(place), f"left behind: {temporaries(place)}"

    def strike(self, results: Path, moment: float, alone: bool, report: Report) -> None:
        """Begin and kill; where it is done by then, which it may be sooner than undisturbed, once more."""
        crowd = self.begin(results)
        code, used = crowd.work(moment)
        while code is not None:
            report.late += 1
            shutil.rmtree(results)
            moment = min(moment, used) * _SOONER
            crowd = self.begin(results)
            code, used = crowd.work(moment)
        crowd.kill(alone)
        report.moments.append(moment)
        assert crowd.gone(), "processes outlive the kill"

    def compare(self, results: Path) -> None:
        """Raise ``AssertionError`` for results that are not those of the undisturbed run."""
        found = contents(results)
        missing, more = sorted(self.truth.keys() - found.keys()), sorted(found.keys() - self.truth.keys())
        assert not missing + more, f"missing: {missing}, too many: {more}"
        other = [name for name in self.truth if found[name] != self.truth[name]]
        assert not other, f"not as undisturbed: {other}"


def undisturbed(job: Job, folder: Path) -> tuple[Drill, float]:
    """Make the inputs and the truth of a job; return it with the seconds that it takes of processors."""
    new = Drill(job, folder)
    new.inputs.mkdir(parents=True)
    job.prepare(new.inputs)
    lasts = new.to_the_end(folder / "undisturbed")
    return replace(new, truth=contents(job.results(folder / "undisturbed"))), lasts


def drill(job: Job, kills: int, folder: Path, seed: int = 0) -> Report:
    """Kill a job so many times; one moment is drawn from each of as many equal parts of its time."""
    ready, lasts = undisturbed(job, folder)
    report = Report(job.name, lasts)
    chance = random.Random(seed)
    for number in range(kills):
        results = folder / f"killed_{number}"
        moment = (number + chance.random()) / kills * lasts
        try:
            ready.kill(results, moment, bool(number % 2), report)
        except AssertionError as error:
            report.wrong.append(f"kill {number} at {moment:.1f} s, in {results}: {error}")
        else:
            shutil.rmtree(results)
        print(f"{job.name}: {number + 1} of {kills}, {len(report.wrong)} wrong", file=sys.stderr, flush=True)
    return report


def chosen(parser: argparse.ArgumentParser) -> tuple[argparse.Namespace, list[Job]]:
    """Read a command line that names jobs."""
    known = {job.name: job for job in JOBS}
    parser.add_argument("jobs", nargs="*", metavar="JOB", help=f"some of {', '.join(known)}; default all")
    args = parser.parse_args()
    if unknown := [name for name in args.jobs if name not in known]:
        parser.error(f"there is no job {', '.join(unknown)}; there are {', '.join(known)}")
    return args, [known[name] for name in args.jobs or known]


def main() -> None:
    """Drill the jobs that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    args, jobs = chosen(parser)
    place = Path(tempfile.mkdtemp(prefix="animate-drill-"))
    failed = False
    for job in jobs:
        report = drill(job, args.kills, place / job.name, args.seed)
        failed |= bool(report.wrong)
        print(report, flush=True)
    if not failed:  # else it is there to be looked at
        shutil.rmtree(place)
    sys.exit(failed)


if __name__ == "__main__":
    main()
