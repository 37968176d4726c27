"""One table on the screen and one JSON file per benchmark, with machine and versions beside the numbers."""

from __future__ import annotations

import importlib
import json
import platform
import resource
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

Row = dict[str, str | float]


def measure(work: Callable[[], object], runs: int, warmup: int = 1) -> list[float]:
    """Seconds of each of ``runs`` calls, after ``warmup`` calls that are not counted."""
    for _ in range(warmup):
        work()
    seconds = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - start)
    return seconds


def spread(seconds: list[float], per: float = 1.0) -> Row:
    """Median and range of ``per / seconds`` and the median time: work items each second."""
    rates = sorted(per / second for second in seconds)
    return {
        "per_second": round(statistics.median(rates), 3),
        "lowest": round(rates[0], 3),
        "highest": round(rates[-1], 3),
        "median_s": round(statistics.median(seconds), 4),
        "peak_memory_mb": round(peak_memory_mb()),
    }


def peak_memory_mb() -> float:
    """Largest resident size of this process so far, in MB."""
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kilobytes / (2**20 if platform.system() == "Darwin" else 2**10)


def memory_mb(pid: int, kind: str) -> float:
    """Megabytes of a process that are its own (``Private``), or with its part of what is shared (``Pss``).

    0 of one that has ended. Needs Linux.
    """
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    fields = [line.split() for line in lines]
    wanted = ("Pss:",) if kind == "Pss" else ("Private_Clean:", "Private_Dirty:")
    return sum(int(field[1]) for field in fields if field[0] in wanted) / 1e3


def machine() -> Row:
    """Tell what the numbers were measured on."""
    return {
        "processor": platform.processor() or platform.machine(),
        "threads": torch.get_num_threads(),
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    }


def publish(name: str, rows: list[Row], folder: Path) -> None:
    """Print the rows as a table and write them with the machine to ``folder/name.json``."""
    table = Table(title=name)
    columns = list(rows[0])
    for column in columns:
        side = "left" if isinstance(rows[0][column], str) else "right"
        table.add_column(column.replace("_", " "), justify=side, overflow="fold")
    for row in rows:
        table.add_row(*(str(row[column]) for column in columns))
    Console().print(table)
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"benchmark": name, "machine": machine(), "rows": rows}, indent=2)
    (folder / f"{name}.json").write_text(text + "\n")


def run(name: str, runs: int, folder: Path) -> None:
    """Run one benchmark on the GPU if there is one, else on the CPU.

    Not in ``__main__``, which a spawned process does not import.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    publish(name, importlib.import_module(f"benchmarks.{name}").run(device, runs), folder)
