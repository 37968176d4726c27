from __future__ import annotations

import os
import resource
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from animate import checkpoints
from animate.video.encode import VideoWriter
from animate.video.image import write_image
from small import networks

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model with random weights, in a self-describing file."""
    torch.manual_seed(3)
    model = networks(num_keypoints=5)
    with torch.no_grad():
        model.keypoint_detector.heatmap.weight.mul_(20)
    path = tmp_path_factory.mktemp("models") / "tiny.ckpt"
    state = {f"networks.{key}": value for key, value in model.state_dict().items()}
    checkpoints.save(path, {"state_dict": state}, checkpoints.describe("fomm", model.arguments))
    return path


def moving(count: int, height: int = 48, width: int = 64) -> list[np.ndarray]:
    """Frames of a bright square that crosses a dark ground."""
    frames = np.full((count, height, width, 3), 40, np.uint8)
    for number, frame in enumerate(frames):
        left = 4 + number * (width - 20) // max(1, count)
        frame[12:28, left : left + 16] = (230, 180, 60)
    return list(frames)


def write_video(path: Path, frames: list[np.ndarray], fps: float = 25) -> Path:
    with VideoWriter(path, fps) as writer:
        for frame in frames:
            writer.write(frame)
    return path


@pytest.fixture(scope="session")
def make_video() -> Callable[..., Path]:
    """Write a video of a moving square: ``make_video(path, count, height, width, fps)``."""

    def make(path: Path, count: int, height: int = 48, width: int = 64, fps: float = 25) -> Path:
        return write_video(path, moving(count, height, width), fps)

    return make


@pytest.fixture(scope="session")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``clip.mp4`` of 10 frames at 64x48, and ``photo.png`` at 100x70."""
    folder = tmp_path_factory.mktemp("media")
    write_video(folder / "clip.mp4", moving(10))
    write_image(folder / "photo.png", moving(3, 70, 100)[1])
    return folder


@pytest.fixture(scope="session")
def animate() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the command as a user does, in a process of its own."""

    def run(*arguments: object, limit: int | None = None) -> subprocess.CompletedProcess[str]:
        """``limit``: the largest file that the process may write, in bytes."""

        def bound() -> None:
            if limit is not None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

        return subprocess.run(
            [sys.executable, "-m", "animate.cli", *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=300,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            preexec_fn=bound,
            check=False,
        )

    return run
