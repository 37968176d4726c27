"""A dry run at the size of VoxCeleb: 100,000 clips in an index, start-up and memory of the data workers.

The clips are links to a few drawn videos; what the index keeps of each is made different from the others'.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch.utils.data import DataLoader

from animate.data.dataset import Item, RawBatch
from animate.data.export import export
from animate.data.index import FolderIndex
from animate.data.index_cache import CACHE_NAME, IndexCache
from animate.data.layouts import Container, Strip
from animate.data.loaders import stop_workers
from animate.data.module import VideoDataModule
from animate.data.packed import PackedInfo
from animate.data.stamp import stamp
from animate.data.synthetic import PuppetIndex
from animate.data.views import FramePair, Reconstruction
from animate.video.probe import probe
from benchmarks.report import Row, memory_mb, peak_memory_mb

CLIPS, PERSONS, VIDEOS, COLD = 100_000, 1_251, 8, 2_000
SIZE, FRAMES, BATCH, WORKERS = 64, 16, 8, 2
LOOKS = (100, 2_000, 8_000)
"""Batches after which the workers' memory is read."""
T = TypeVar("T")


def run(_device: torch.device, _runs: int) -> list[Row]:
    """One row per figure; each is measured once."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "voxceleb"
        drawn = PuppetIndex(train_clips=VIDEOS, val_clips=1, test_clips=1, frames=FRAMES, size=SIZE)
        export(drawn, Path(folder) / "drawn", ("train",), (SIZE, SIZE))
        videos = sorted((Path(folder) / "drawn" / "train").glob("*.mp4"))
        rows = _cold(Path(folder) / "cold", videos)
        _link(root, videos, CLIPS)
        _warm(root, videos)
        return rows + _start_up(root)


def _link(root: Path, videos: list[Path], count: int) -> None:
    """Name ``count`` clips as VoxCeleb's are: person, video, chunk."""
    for split in ("train", "test"):
        (root / split).mkdir(parents=True)
    for number in range(count):
        person = number % PERSONS
        name = f"id{10000 + person}#{number // PERSONS:05d}#000000#000016.mp4"
        os.link(videos[number % len(videos)], root / ("test" if person < 10 else "train") / name)


def _warm(root: Path, videos: list[Path]) -> None:
    """Write an index cache as a first run would, with time stamps of its own for each clip."""
    random = np.random.default_rng(0)
    infos = {path.stat().st_ino: probe(path) for path in videos}
    facts = {path.stat().st_ino: Container().facts(path) for path in videos}
    cache = IndexCache(root, settings=str(Strip()))
    for path in sorted(root.rglob("*.mp4")):
        status = path.stat()
        times = infos[status.st_ino].times + random.uniform(-1e-3, 1e-3, FRAMES)
        packed = PackedInfo.pack(replace(infos[status.st_ino], times=times))
        own = facts[status.st_ino]._replace(video=packed)
        cache.put(path.relative_to(root).as_posix(), stamp(path), own)
    cache.save()


def _cold(root: Path, videos: list[Path]) -> list[Row]:
    _link(root, videos, COLD)
    spent, _ = _timed(lambda: FolderIndex(root, id_sampling=True))
    return _seconds(f"index of {COLD} clips, nothing cached", spent)


def _start_up(root: Path) -> list[Row]:
    before = peak_memory_mb()
    index_s, index = _timed(lambda: FolderIndex(root, id_sampling=True))
    grown = peak_memory_mb() - before
    loader_s, (module, loader) = _timed(lambda: _module(index))
    first_s, batches = _timed(lambda: _started(loader))
    epoch_s, order = _timed(lambda: sum(1 for _ in module.train_dataloader().batch_sampler))
    rows = [
        _row(f"index cache of {CLIPS} clips", (root / CACHE_NAME).stat().st_size / 1e6, "MB"),
        _row("index in the main process", grown, "MB"),
        *_seconds("start-up, cached: index", index_s),
        *_seconds("start-up: data module and loader", loader_s),
        *_seconds("first batch, start of the workers included", first_s),
        _row("batches drawn by the sampler", order / epoch_s[1], "1/s"),
    ]
    return rows + _read(batches)


def _read(batches: Iterator[RawBatch]) -> list[Row]:
    """Read on and look at the workers."""
    workers = [worker.pid for worker in batches._workers]  # type: ignore[attr-defined]
    rows: list[Row] = []
    taken, start = 1, time.perf_counter()
    for number in LOOKS:
        for _ in range(number - taken):
            next(batches)
        taken = number
        private = [memory_mb(pid, "Private") for pid in workers]
        shares = [memory_mb(pid, "Pss") for pid in workers]
        rows.append(_row(f"memory of a worker alone (USS) after {number} batches", max(private), "MB"))
        rows.append(_row(f"memory of a worker, shared in parts (PSS) after {number}", max(shares), "MB"))
    rows.append(_row("pairs by person", (LOOKS[-1] - 1) * BATCH / (time.perf_counter() - start), "1/s"))
    stop_workers(batches)
    return rows


def _module(index: FolderIndex) -> tuple[VideoDataModule, DataLoader[Item]]:
    module = VideoDataModule(
        index,
        image_size=SIZE,
        batch_size=BATCH,
        train_view=FramePair(),
        eval_view=Reconstruction(),
        id_sampling=True,
        repeats=80,
        num_workers=WORKERS,
    )
    return module, module.train_dataloader()


def _started(loader: DataLoader[Item]) -> Iterator[RawBatch]:
    batches = iter(loader)
    next(batches)
    return batches


def _timed(work: Callable[[], T]) -> tuple[tuple[float, float], T]:
    """Seconds by the clock and of this process, and what the work gave."""
    start, used = time.perf_counter(), time.process_time()
    result = work()
    return (time.perf_counter() - start, time.process_time() - used), result


def _row(what: str, value: float, unit: str) -> Row:
    return {"what": what, "value": round(value, 2), "unit": unit}


def _seconds(what: str, spent: tuple[float, float]) -> list[Row]:
    """By the clock, and of this process: on a machine that others use too, the second says more."""
    return [_row(what, spent[0], "s"), _row(f"{what}, of one core", spent[1], "s")]
