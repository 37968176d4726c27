"""Where the time of a FOMM training step goes, and what share of this machine's convolution rate it reaches.

The rate to compare with is the best that any of the step's common convolutions reaches by itself, forwards.
Beside the table a picture is written, ``outputs/benchmarks/step_profile.png``.
"""

from __future__ import annotations

import time
from collections import defaultdict
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.report import Row
from benchmarks.train_step import stepper

SHAPES = ((64, 256), (128, 128), (256, 64), (512, 32))
"""Channels and side of the maps of which VGG19 and the generator have most."""
KINDS = {
    "convolution, forward": ("convolution",),
    "convolution, backward": ("convolution_backward",),
    "ReLU": ("threshold_backward", "clamp_min", "relu", "leaky_relu"),
    "batch and instance norm": ("batch_norm", "native_batch_norm_backward", "instance_norm"),
    "pooling and resizing": ("pool", "upsample"),
    "sums of losses": ("abs", "sub", "sgn", "mean", "sum"),
    "copies": ("copy_", "cat", "fill_", "zero_"),
    "Adam": ("adam",),
}
"""By part of an operation's name; the first kind that fits takes it."""
PICTURE = Path("outputs/benchmarks/step_profile.png")


def run(device: torch.device, runs: int) -> list[Row]:
    """One row per figure: time, work, its share of the convolution rate, then the shares of time."""
    rate = convolution_rate(device, runs)
    figures, shares = {}, {}
    for name, adversarial in (("vox-256", False), ("mgif-256", True)):
        step = stepper(adversarial, 2, device)
        step()
        seconds = min(_seconds(step, device) for _ in range(runs))
        work = _floating_point_operations(step)
        shares[name] = _shares(step)
        figures[name] = {
            "seconds, the fastest": round(seconds, 3),
            "work, TFLOP": round(work / 1e12, 3),
            "work, GFLOP/s": round(work / seconds / 1e9),
            "a convolution alone, GFLOP/s": round(rate / 1e9),
            "share of that": round(work / seconds / rate, 3),
            **{f"time: {kind}": round(share, 3) for kind, share in shares[name].items()},
        }
    rows = [
        Row(figure=figure, **{name: values[figure] for name, values in figures.items()})
        for figure in figures["vox-256"]
    ]
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(PICTURE), bars(shares))
    return rows


def convolution_rate(device: torch.device, runs: int) -> float:
    """Measure the floating-point operations per second of the fastest 3x3 convolution of ``SHAPES``."""
    best = 0.0
    for channels, side in SHAPES:
        x, weight = (
            torch.rand(shape, device=device).to(memory_format=torch.channels_last)
            for shape in ((2, channels, side, side), (channels, channels, 3, 3))
        )
        work = 2 * 9 * channels**2 * 2 * side**2
        with torch.no_grad():
            F.conv2d(x, weight, padding=1)
            fastest = min(_seconds(lambda: F.conv2d(x, weight, padding=1), device) for _ in range(2 * runs))  # noqa: B023
        best = max(best, work / fastest)
    return best


def _seconds(work, device: torch.device) -> float:  # noqa: ANN001
    start = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def _floating_point_operations(step) -> int:  # noqa: ANN001
    with FlopCounterMode(display=False) as counter:
        step()
    return counter.get_total_flops()


def _shares(step) -> dict[str, float]:  # noqa: ANN001
    """Shares of the time that operations take themselves, by kind."""
    with profile(
        activities=list({ProfilerActivity.CPU, *([ProfilerActivity.CUDA] * torch.cuda.is_available())})
    ) as seen:
        step()
    times: dict[str, float] = defaultdict(float)
    for event in seen.key_averages():
        took = event.self_device_time_total if torch.cuda.is_available() else event.self_cpu_time_total
        times[_kind(event.key)] += took
    total = sum(times.values())
    return {kind: times[kind] / total for kind in (*KINDS, "the rest")}


def _kind(name: str) -> str:
    name = name.lower()
    if "convolution_backward" in name or "convolutionbackward" in name:
        return "convolution, backward"
    return next((kind for kind, parts in KINDS.items() if any(part in name for part in parts)), "the rest")


COLOURS = (
    (180, 119, 31),
    (232, 199, 174),
    (14, 127, 255),
    (44, 160, 44),
    (138, 223, 152),
    (40, 39, 214),
    (189, 103, 148),
    (75, 86, 140),
    (160, 160, 160),
)


def bars(shares: dict[str, dict[str, float]]) -> np.ndarray:
    """Draw one bar per recipe with a legend, BGR."""
    width, height = 900, 70 * len(shares) + 150
    picture = np.full((height, width, 3), 255, np.uint8)
    for row, (name, parts) in enumerate(shares.items()):
        left, top = 110.0, 20 + 70 * row
        _write(picture, name, (10, top + 32))
        for colour, share in zip(COLOURS, parts.values(), strict=True):
            right = left + share * 770
            cv2.rectangle(picture, (round(left), top), (round(right), top + 50), colour, -1)
            if share > 0.04:
                _write(picture, f"{share:.0%}", (round(left) + 5, top + 32))
            left = right
    for index, (kind, colour) in enumerate(zip(next(iter(shares.values())), COLOURS, strict=True)):
        x, y = 20 + 290 * (index % 3), height - 110 + 36 * (index // 3)
        cv2.rectangle(picture, (x, y), (x + 22, y + 22), colour, -1)
        _write(picture, kind, (x + 32, y + 18))
    return picture


def _write(picture: np.ndarray, text: str, at: tuple[int, int]) -> None:
    cv2.putText(picture, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.55, (30, 30, 30), 1, cv2.LINE_AA)
