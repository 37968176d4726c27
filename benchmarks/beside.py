"""The same work done by `animate` and by another program, by turns: ``python -m benchmarks.beside``.

For comparing with published code, which is not part of this project. The other program is any command that
does the work named in its last but one argument with the inputs in its last: it prints ``ready`` when it is
warm, and then answers each line that it reads with the seconds that one turn took. Ours does the same
(``--worker``). Between its turns a program and its data workers are stopped, so that neither works or reads
ahead in the other's time.
"""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from benchmarks import inference, pairs, train_step
from benchmarks.report import Row, publish

CPU = torch.device("cpu")
Turn = Callable[[], float]
"""One turn of some work: the seconds that count of it."""


@dataclass(frozen=True)
class Work:
    """What is compared."""

    items: int
    """Things done in a turn."""
    unit: str
    prepare: Callable[[Path], object]
    """Write the inputs that both programs get."""
    build: Callable[[Path], Turn]
    """Give our turn."""


def _step(adversarial: bool) -> Work:
    def build(_inputs: Path) -> Turn:
        return _timed(train_step.stepper(adversarial, 2, CPU))

    return Work(2, "pairs", lambda _: None, build)


def _drive() -> Work:
    return Work(
        inference.CPU_FRAMES,
        "frames",
        lambda inputs: inference.prepare(inputs, inference.CPU_FRAMES),
        lambda inputs: _timed(inference.mp4_to_mp4(inference.model(CPU), inputs)),
    )


def _pairs(source: str, augmentation: str) -> Work:
    return Work(
        pairs.BATCH * pairs.STEPS,
        "pairs",
        partial(pairs.prepare, source=source),
        partial(pairs.reader, source=source, augmentation=augmentation),
    )


def _timed(work: Callable[[], object]) -> Turn:
    def turn() -> float:
        start = time.perf_counter()
        work()
        return time.perf_counter() - start

    return turn


WORKS: dict[str, Work] = {
    "step-vox": _step(adversarial=False),
    "step-mgif": _step(adversarial=True),
    "drive": _drive(),
    **{
        f"pairs-{source}-{augmentation}": _pairs(source, augmentation)
        for source in pairs.SOURCES
        for augmentation in pairs.AUGMENTATIONS
    },
}


class Program:
    """A program that works by turns, with what it starts, in a process group of its own."""

    def __init__(self, command: list[str]) -> None:
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        self._command = shlex.join(command)
        while self._answer() != "ready":
            pass
        self._signal(signal.SIGSTOP)

    def turn(self) -> float:
        """Let it work and give the seconds of it."""
        self._signal(signal.SIGCONT)
        assert self._process.stdin is not None
        self._process.stdin.write("turn\n")
        self._process.stdin.flush()
        seconds = float(self._answer())
        self._signal(signal.SIGSTOP)
        return seconds

    def end(self) -> None:
        """Kill it and its data workers."""
        self._signal(signal.SIGKILL)
        self._process.wait()

    def _answer(self) -> str:
        assert self._process.stdout is not None
        if line := self._process.stdout.readline():
            return line.strip()
        raise SystemExit(f"ended before its turn: {self._command}")

    def _signal(self, number: int) -> None:
        os.killpg(self._process.pid, number)


def compare(name: str, ours: list[str], other: list[str], runs: int) -> Row:
    """Let both work ``runs`` times by turns; a ratio is of the times of two turns that follow each other."""
    programs = [Program(other), Program(ours)]
    try:
        seconds = [[program.turn() for program in programs] for _ in range(runs)]
    finally:
        for program in programs:
            program.end()
    ratios = [mine / theirs for theirs, mine in seconds]
    rates = [WORKS[name].items / statistics.median(side) for side in zip(*seconds, strict=True)]
    return {
        "work": name,
        "per_second": WORKS[name].unit,
        "other": round(rates[0], 2),
        "animate": round(rates[1], 2),
        "ratio": round(statistics.median(ratios), 4),
        "lowest": round(min(ratios), 4),
        "highest": round(max(ratios), 4),
        "times_as_fast": round(1 / statistics.median(ratios), 2),
        "turns": runs,
    }


def _serve(name: str, inputs: Path) -> None:
    turn = WORKS[name].build(inputs)
    turn()
    print("ready", flush=True)
    for _ in sys.stdin:
        print(turn(), flush=True)


def main() -> None:
    """Compare each work that the command line names, or do one of them by turns."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.beside", description=__doc__)
    parser.add_argument("works", nargs="+", metavar="WORK", choices=WORKS, help=", ".join(WORKS))
    parser.add_argument("--other", metavar="COMMAND", help="the other program; WORK and INPUTS are added")
    parser.add_argument("--runs", type=int, default=5, help="turns of each program (default 5)")
    parser.add_argument("--inputs", type=Path, help="folder for the inputs; default: a temporary one")
    parser.add_argument("--output", type=Path, default=Path("outputs/benchmarks"), help="folder for the JSON")
    parser.add_argument("--worker", action="store_true", help="be one of the two programs")
    args = parser.parse_args()
    if args.worker:
        _serve(args.works[0], args.inputs)
        return
    if not args.other:
        parser.error("--other is needed: the command to compare with")
    with tempfile.TemporaryDirectory() as folder:
        inputs: Path = args.inputs or Path(folder)
        ours = [sys.executable, "-m", "benchmarks.beside", "--worker", "--inputs", str(inputs)]
        rows = []
        for name in args.works:
            WORKS[name].prepare(inputs)
            rows.append(
                compare(name, [*ours, name], [*shlex.split(args.other), name, str(inputs)], args.runs)
            )
        publish("beside", rows, args.output)


if __name__ == "__main__":
    main()
