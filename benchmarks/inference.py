"""Frames per second of ``animate drive`` at 256 x 256, published size, with and without video files."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from animate.data.clips import open_clip
from animate.data.synthetic import PuppetIndex
from animate.networks.fomm import FirstOrderModel
from animate.networks.inference import for_inference
from animate.pipelines.drive import drive, suitable_batch_size
from animate.pipelines.files import DriveSettings, drive_file
from animate.video.encode import VideoWriter
from animate.video.image import write_image
from benchmarks.report import Row, measure, spread

CPU_FRAMES, GPU_FRAMES, SIZE = 24, 1000, 256


def prepare(inputs: Path, frames: int) -> NDArray[np.uint8]:
    """Write a drawn ``source.png`` and a ``driving.mp4`` of so many frames; give the frames."""
    index = PuppetIndex(train_clips=1, val_clips=1, test_clips=1, frames=frames, size=SIZE)
    (clip,) = index.clips("train")
    pictures = open_clip(clip).frames(range(frames), None)
    write_image(inputs / "source.png", pictures[0])
    with VideoWriter(inputs / "driving.mp4", 25, overwrite=True) as writer:
        for picture in pictures:
            writer.write(picture)
    return pictures


def model(device: torch.device) -> FirstOrderModel:
    """Build the published size, of random weights, as ``animate drive`` prepares it."""
    torch.manual_seed(0)
    return for_inference(FirstOrderModel().eval().to(device))


def mp4_to_mp4(networks: FirstOrderModel, inputs: Path) -> Callable[[], object]:
    """Give what moves the source of ``inputs`` by the video there and writes a video."""
    settings = DriveSettings(batch_size=suitable_batch_size(networks), overwrite=True)
    names = (inputs / name for name in ("source.png", "driving.mp4", "result.mp4"))
    return partial(drive_file, networks, *names, settings)


def run(device: torch.device, runs: int) -> list[Row]:
    """One row for pictures in memory, one with decoding and encoding of mp4."""
    count = CPU_FRAMES if device.type == "cpu" else GPU_FRAMES
    networks = model(device)
    batch = suitable_batch_size(networks)
    with tempfile.TemporaryDirectory() as folder:
        frames = prepare(Path(folder), count)

        def in_memory() -> None:
            for _ in drive(networks, frames[0], frames, batch_size=batch):
                pass

        works = {"pictures in memory": in_memory, "mp4 to mp4": mp4_to_mp4(networks, Path(folder))}
        return [
            Row(path=name, frames=count, batch=batch, **spread(measure(work, runs), per=count))
            for name, work in works.items()
        ]
