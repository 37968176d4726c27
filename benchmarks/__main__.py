"""Run benchmarks, each in a process of its own so that peak memory is its own."""

from __future__ import annotations

import argparse
import multiprocessing
from pathlib import Path

from benchmarks.report import run

NAMES = ("startup", "train_step", "step_profile", "inference", "pairs", "scale", "memory", "onnx", "metrics")


def main() -> None:
    """Read the command line and run what it names."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", default=NAMES, help=f"of {', '.join(NAMES)}; default: all")
    parser.add_argument("--runs", type=int, default=5, help="timed repetitions (default 5)")
    parser.add_argument("--output", type=Path, default=Path("outputs/benchmarks"), help="folder for the JSON")
    args = parser.parse_args()
    for name in args.names:
        process = multiprocessing.get_context("spawn").Process(
            target=run, args=(name, args.runs, args.output)
        )
        process.start()
        process.join()
        if process.exitcode:
            raise SystemExit(process.exitcode)


if __name__ == "__main__":
    main()
