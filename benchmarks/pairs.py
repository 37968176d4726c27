"""Training pairs per second of one data worker: decoding, resizing and augmentation included."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import torch

from animate.cli import main
from animate.data.export import export
from animate.data.index import ClipIndex, FolderIndex
from animate.data.module import VideoDataModule
from animate.data.store.index import StoreIndex
from animate.data.synthetic import PuppetIndex
from animate.data.transforms import Augmentation
from animate.data.views import FramePair, Reconstruction
from benchmarks.report import Row, spread

SIZE, BATCH, STEPS = 256, 8, 12
AUGMENTATIONS = {
    "flips": Augmentation(time_flip=0.5, horizontal_flip=0.5),
    "mgif": Augmentation(time_flip=0.5, horizontal_flip=0.5, resize=(0.9, 1.1), hue=0.5),
}


def pairs(index: ClipIndex, augmentation: Augmentation, runs: int) -> list[float]:
    """Seconds of each of ``runs`` stretches of ``STEPS`` batches, after the workers have started."""
    data = VideoDataModule(
        index,
        image_size=SIZE,
        batch_size=BATCH,
        train_view=FramePair(),
        eval_view=Reconstruction(),
        augmentation=augmentation,
        steps_per_epoch=STEPS * (runs + 1),
        num_workers=1,
    )
    batches = iter(data.train_dataloader())
    seconds = []
    for _ in range(runs + 1):
        start = time.perf_counter()
        for _ in range(STEPS):
            data.on_after_batch_transfer(next(batches), 0)
        seconds.append(time.perf_counter() - start)
    return seconds[1:]


def run(_device: torch.device, runs: int) -> list[Row]:
    """One row per source of clips and augmentation."""
    with tempfile.TemporaryDirectory() as folder:
        drawn = PuppetIndex(train_clips=24, val_clips=2, test_clips=2, frames=64, size=SIZE)
        export(drawn, Path(folder) / "puppets", ("train", "test"), (SIZE, SIZE))
        files, store = Path(folder) / "puppets", Path(folder) / "store"
        if main(["data", "prepare", str(files), str(store), "--size", str(SIZE)]):
            raise SystemExit("the store cannot be prepared")
        sources: dict[str, ClipIndex] = {
            "mp4": FolderIndex(files),
            "prepared store": StoreIndex(store),
            "puppets": drawn,
        }
        return [
            Row(source=source, augmentation=name, **spread(pairs(index, chosen, runs), BATCH * STEPS))
            for source, index in sources.items()
            for name, chosen in AUGMENTATIONS.items()
        ]
