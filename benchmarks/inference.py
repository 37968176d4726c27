"""Frames per second of the drive pipeline at 256 x 256, published size, with and without video files."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import torch

from animate.networks.fomm import FirstOrderModel
from animate.networks.inference import for_inference
from animate.pipelines.drive import drive
from animate.video.decode import stream
from animate.video.encode import VideoWriter
from benchmarks.report import Row, measure, spread

FRAMES, BATCH = 16, 4


def run(device: torch.device, runs: int) -> list[Row]:
    """One row for pictures in memory, one with decoding and encoding of mp4."""
    torch.manual_seed(0)
    networks = for_inference(FirstOrderModel().eval().to(device))
    random = np.random.default_rng(0)
    frames = list(random.integers(0, 256, (FRAMES, 256, 256, 3), dtype=np.uint8))
    with tempfile.TemporaryDirectory() as folder:
        driving, result = Path(folder) / "driving.mp4", Path(folder) / "result.mp4"
        with VideoWriter(driving, 25) as writer:
            for frame in frames:
                writer.write(frame)

        def in_memory() -> None:
            for _ in drive(networks, frames[0], frames, batch_size=BATCH):
                pass

        def with_video() -> None:
            with VideoWriter(result, 25, overwrite=True) as writer:
                moving = (frame.image for frame in stream(driving))
                for picture in drive(networks, frames[0], moving, batch_size=BATCH):
                    writer.write(picture)

        return [
            Row(path=name, frames=FRAMES, batch=BATCH, **spread(measure(work, runs), per=FRAMES))
            for name, work in (("pictures in memory", in_memory), ("mp4 to mp4", with_video))
        ]
