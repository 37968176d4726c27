"""Seconds until the command line answers: ``--help``, and the bare import of the package."""

from __future__ import annotations

import subprocess
import sys

import torch

from benchmarks.report import Row, measure, spread

COMMANDS = {
    "import animate": ("-c", "import animate"),
    "animate --help": ("-m", "animate.cli", "--help"),
    "animate drive --help": ("-m", "animate.cli", "drive", "--help"),
}


def run(_device: torch.device, runs: int) -> list[Row]:
    """One row per command, each a whole process."""

    def start(arguments: tuple[str, ...]) -> None:
        subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)

    rows = []
    for name, arguments in COMMANDS.items():
        seconds = measure(lambda: start(arguments), runs)  # noqa: B023
        rows.append(Row(command=name, **spread(seconds)))
    return rows
