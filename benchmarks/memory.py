"""Peak memory of drive, evaluate, annotate and prepare for a video and for one ten times as long.

A whole process each, with a small model: what is measured is what is held of the video.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import numpy as np
import torch

from animate import checkpoints
from animate.networks.fomm import FirstOrderModel
from animate.video.encode import VideoWriter
from animate.video.image import write_image
from benchmarks.report import Row, memory_mb

SHORT, LONG, SIZE, PAIRS = 60, 600, 256, 5
INTERVAL = 0.01
"""Seconds between two looks."""
SMALL = {
    "image_size": SIZE,
    "num_keypoints": 3,
    "motion_size": 32,
    **{f"{part}_width": 4 for part in ("keypoint", "motion", "generator")},
    **{f"{part}_max_width": 8 for part in ("keypoint", "motion", "generator")},
    "generator_blocks": 1,
}


def run(_device: torch.device, _runs: int) -> list[Row]:
    """One row per command: medians over processes that took turns."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _checkpoint(folder / "small.ckpt")
        videos = {count: _video(folder / f"{count}.mp4", count) for count in (SHORT, LONG)}
        return [
            _compare(command, {count: partial(arguments, folder, path) for count, path in videos.items()})
            for command, arguments in COMMANDS.items()
        ]


def _drive(folder: Path, video: Path) -> list[str]:
    source = ["drive", "--checkpoint", f"{folder}/small.ckpt", "--source", f"{folder}/source.png"]
    return [*source, "--driving", f"{video}", "--output", f"{folder}/driven.mp4", "--overwrite"]


def _evaluate(folder: Path, video: Path) -> list[str]:
    places = ["evaluate", "--prediction", f"{video}", "--target", f"{video}", "--output", f"{folder}/report"]
    return [*places, "--overwrite"]


def _annotate(folder: Path, video: Path) -> list[str]:
    return [
        "annotate",
        "pose",
        f"{video}",
        "--backend",
        "puppet",
        "--output",
        f"{folder}/sidecars",
        "--overwrite",
    ]


def _prepare(folder: Path, video: Path) -> list[str]:
    """Store a folder that holds the video; anew each time."""
    clips = folder / video.stem
    shutil.rmtree(folder / "store", ignore_errors=True)
    (clips / "train").mkdir(parents=True, exist_ok=True)
    (clips / "test").mkdir(exist_ok=True)
    if not (clips / "train" / video.name).exists():
        os.link(video, clips / "train" / video.name)
    return ["data", "prepare", str(clips), str(folder / "store"), "--size", str(SIZE)]


COMMANDS = {"drive": _drive, "evaluate": _evaluate, "annotate": _annotate, "data prepare": _prepare}


def _compare(command: str, arguments: dict[int, Callable[[], list[str]]]) -> Row:
    peaks: dict[int, list[float]] = {SHORT: [], LONG: []}
    for _ in range(PAIRS):
        for count, taken in peaks.items():
            taken.append(_peak([sys.executable, "-m", "animate.cli", *arguments[count]()]))
    ratios = [long / short for short, long in zip(peaks[SHORT], peaks[LONG], strict=True)]
    return {
        "command": command,
        f"peak_mb_{SHORT}_frames": round(statistics.median(peaks[SHORT]), 1),
        f"peak_mb_{LONG}_frames": round(statistics.median(peaks[LONG]), 1),
        "ratio": round(statistics.median(ratios), 3),
        "lowest": round(min(ratios), 3),
        "highest": round(max(ratios), 3),
    }


def _peak(command: list[str]) -> float:
    """Run a command and give the most megabytes that its processes held together, looked at all the time."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    peak = 0.0
    while process.poll() is None:
        peak = max(peak, sum(memory_mb(pid, "Pss") for pid in _family(process.pid)))
        time.sleep(INTERVAL)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return peak


def _family(pid: int) -> list[int]:
    """List a process and those that it started, and those that they did."""
    found = [pid]
    for member in found:
        with suppress(OSError):  # ended meanwhile
            for children in Path(f"/proc/{member}/task").glob("*/children"):
                found += map(int, children.read_text().split())
    return found


def _checkpoint(path: Path) -> None:
    torch.manual_seed(0)
    model = FirstOrderModel(**SMALL)
    state = {f"networks.{key}": value for key, value in model.state_dict().items()}
    checkpoints.save(path, {"state_dict": state}, checkpoints.describe("fomm", model.arguments))


def _video(path: Path, count: int) -> Path:
    """A bright square that crosses noise; its first frame beside it."""
    ground = np.random.default_rng(0).integers(0, 90, (SIZE, SIZE, 3), dtype=np.uint8)
    with VideoWriter(path, 25) as writer:
        for number in range(count):
            frame = ground.copy()
            left = 40 + number * 100 // count
            frame[80:160, left : left + 80] = (230, 180, 60)
            writer.write(frame)
            if number == 0:
                write_image(path.with_name("source.png"), frame)
    return path
