"""The drill of a full disk: without room a command ends with one line, and goes on when there is more.

``python tests/drills/disk.py`` drills every job, ``... training drive`` some of them; ``--tmpfs`` does so
with a small disk in memory, which only root may mount; without it there is a limit on the size of a file.

The room is a share of what an undisturbed run leaves. A command for which that is too little must end with
exit code 2 (``annotate``: 1, when some clips were done) and one line, with nothing torn and no temporary name
left; with room enough the same command must come to the results of the undisturbed run.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from kill import Drill, chosen, undisturbed
from whole import contents, temporaries

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jobs import Job

ENOUGH = "enough"
_FOR_THE_LOG = 1 << 15  # bytes: a limit on the size of files holds for it too
SHARES = (0.0, 0.3, 0.6, 0.9)


@dataclass
class Report:
    """What came of a job."""

    job: str
    told: dict[float, str] = field(default_factory=dict)
    """The line by the share of room; ``enough`` where that was it."""
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        lines = [f"    {share:.0%} of the room: {line}" for share, line in self.told.items()]
        fine = len(self.told) - len(self.wrong)
        return "\n".join([f"{self.job}: {fine} of {len(self.told)} fine", *lines, *self.wrong])


def drill(job: Job, folder: Path, shares: tuple[float, ...] = SHARES, tmpfs: bool = False) -> Report:
    """Give a job several times too little room, and then enough."""
    ready, _ = undisturbed(job, folder)
    sizes = [path.stat().st_size for path in (folder / "undisturbed").rglob("*") if path.is_file()]
    report = Report(job.name)
    for number, share in enumerate(shares):
        results = folder / f"full_{number}"
        room = int(share * sum(sizes)) if tmpfs else max(int(share * max(sizes)), _FOR_THE_LOG)
        report.told[share] = "see below"
        try:
            with _disk(results, room if tmpfs else None):
                report.told[share] = _starve(ready, results, None if tmpfs else room)
                if tmpfs:
                    _mount(results, "remount,size=1g")
                ready.to_the_end(results)
                ready.compare(job.results(results))
        except AssertionError as error:
            report.wrong.append(f"with {room} bytes, in {results}: {error}")
    return report


def _starve(ready: Drill, results: Path, largest: int | None) -> str:
    """Run with too little room; return the line that says so. Raises ``AssertionError``."""
    crowd = ready.begin(results, largest)
    code, _ = crowd.work()
    text = results.with_suffix(".log").read_text()
    assert crowd.gone(), "processes outlive their first one"
    contents(results)
    left = [name for name in temporaries(results) if name != ready.job.keeps]
    assert not left, f"left behind: {left}"
    if code == 0:
        return ENOUGH
    assert "Traceback" not in text, text[-3000:]
    lines = [line for line in text.splitlines() if line.startswith(("animate: error: ", "failed: "))]
    assert code in (1, 2), f"exit code {code}: {text[-2000:]}"
    assert lines, f"nothing was told: {text[-2000:]}"
    assert code == 1 or sum(line.startswith("animate: error: ") for line in lines) == 1, lines
    return lines[-1]


@contextmanager
def _disk(folder: Path, room: int | None) -> Iterator[None]:
    """Make a folder, on a disk of its own of so many bytes where that is asked for."""
    folder.mkdir()
    if room is None:
        yield
        return
    _mount(folder, f"size={max(room, 4096)}")  # 0 would be no limit
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def _mount(folder: Path, options: str) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=True)


def main() -> None:
    """Drill the jobs that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--tmpfs", action="store_true", help="mount small disks; for root")
    args, jobs = chosen(parser)
    place = Path(tempfile.mkdtemp(prefix="animate-drill-"))
    failed = False
    for job in jobs:
        report = drill(job, place / job.name, tmpfs=args.tmpfs)
        failed |= bool(report.wrong)
        print(report, flush=True)
    if not failed:
        shutil.rmtree(place)
    sys.exit(failed)


if __name__ == "__main__":
    main()
