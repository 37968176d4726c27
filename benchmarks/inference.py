"""Frames per second of ``animate drive`` at 256 x 256, published size, with and without video files."""

from __future__ import annotations

import tempfile
from pathlib import Path

import torch
from PIL import Image

from animate.data.clips import open_clip
from animate.data.synthetic import PuppetIndex
from animate.networks.fomm import FirstOrderModel
from animate.networks.inference import for_inference
from animate.pipelines.drive import drive, suitable_batch_size
from animate.pipelines.files import DriveSettings, drive_file
from animate.video.encode import VideoWriter
from benchmarks.report import Row, measure, spread

CPU_FRAMES, GPU_FRAMES = 24, 1000


def run(device: torch.device, runs: int) -> list[Row]:
    """One row for pictures in memory, one with decoding and encoding of mp4."""
    torch.manual_seed(0)
    networks = for_inference(FirstOrderModel().eval().to(device))
    count = CPU_FRAMES if device.type == "cpu" else GPU_FRAMES
    batch = suitable_batch_size(networks)
    (clip,) = PuppetIndex(train_clips=1, val_clips=1, test_clips=1, frames=count, size=256).clips("train")
    frames = list(open_clip(clip).frames(range(count), None))
    with tempfile.TemporaryDirectory() as folder:
        source, driving, result = (
            Path(folder) / name for name in ("source.png", "driving.mp4", "result.mp4")
        )
        Image.fromarray(frames[0]).save(source)
        with VideoWriter(driving, 25) as writer:
            for frame in frames:
                writer.write(frame)

        def in_memory() -> None:
            for _ in drive(networks, frames[0], frames, batch_size=batch):
                pass

        def with_video() -> None:
            settings = DriveSettings(batch_size=batch, overwrite=True)
            drive_file(networks, source, driving, result, settings)

        return [
            Row(path=name, frames=count, batch=batch, **spread(measure(work, runs), per=count))
            for name, work in (("pictures in memory", in_memory), ("mp4 to mp4", with_video))
        ]
