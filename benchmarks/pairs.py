"""Training pairs per second of one data worker: decoding, resizing and augmentation included."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
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

SIZE, BATCH, STEPS, AHEAD = 256, 8, 12, 2
"""``AHEAD`` batches wait in the queue of a worker."""
DRAWN = PuppetIndex(train_clips=24, val_clips=2, test_clips=2, frames=64, size=SIZE)
SOURCES = ("mp4", "png", "store")
AUGMENTATIONS = {
    "flips": Augmentation(time_flip=0.5, horizontal_flip=0.5),
    "vox": Augmentation(
        time_flip=0.5, horizontal_flip=0.5, brightness=0.1, contrast=0.1, saturation=0.1, hue=0.1
    ),
    "mgif": Augmentation(time_flip=0.5, horizontal_flip=0.5, resize=(0.9, 1.1), hue=0.5),
}


def prepare(inputs: Path, source: str) -> None:
    """Write drawn clips as ``inputs/mp4``, as folders of ``inputs/png``, or as the store of the mp4 files."""
    files = inputs / ("png" if source == "png" else "mp4")
    if not files.exists():
        export(DRAWN, files, ("train", "test"), (SIZE, SIZE), "" if source == "png" else ".mp4")
    store = inputs / "store"
    wanted = source == "store" and not store.exists()
    if wanted and main(["data", "prepare", str(files), str(store), "--size", str(SIZE)]):
        raise SystemExit("the store cannot be prepared")


def reader(inputs: Path, source: str, augmentation: str) -> Callable[[], float]:
    """Give what reads ``STEPS`` batches, after those that wait in the queue, and tells its seconds."""
    index: ClipIndex = StoreIndex(inputs / source) if source == "store" else FolderIndex(inputs / source)
    data = VideoDataModule(
        index,
        image_size=SIZE,
        batch_size=BATCH,
        train_view=FramePair(),
        eval_view=Reconstruction(),
        augmentation=AUGMENTATIONS[augmentation],
        steps_per_epoch=1000 * STEPS,
        num_workers=1,
    )
    batches = iter(data.train_dataloader())

    def read(count: int) -> None:
        for _ in range(count):
            data.on_after_batch_transfer(next(batches), 0)

    def turn() -> float:
        read(AHEAD)
        start = time.perf_counter()
        read(STEPS)
        return time.perf_counter() - start

    return turn


def run(_device: torch.device, runs: int) -> list[Row]:
    """One row per source of clips and augmentation."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for source in SOURCES:
            prepare(Path(folder), source)
            for augmentation in AUGMENTATIONS:
                turn = reader(Path(folder), source, augmentation)
                seconds = [turn() for _ in range(runs + 1)][1:]
                rows.append(Row(source=source, augmentation=augmentation, **spread(seconds, BATCH * STEPS)))
    return rows
