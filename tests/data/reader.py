"""Reads from two data workers and prints their process numbers; after SIGTERM it reads on, and leaves."""

from __future__ import annotations

import signal
import threading

from torch.utils.data import DataLoader

from animate.data.dataset import quiet_worker
from animate.data.loaders import worker_context


def main() -> None:
    terminated = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: terminated.set())
    numbers, context = list(range(1000)), worker_context()
    loader = DataLoader(numbers, num_workers=2, worker_init_fn=quiet_worker, multiprocessing_context=context)
    batches = iter(loader)
    for _ in range(4):  # both workers have begun
        next(batches)
    print(*(worker.pid for worker in batches._workers), flush=True)
    terminated.wait(600)
    print("read on:", sum(len(batch) for batch in batches), flush=True)


if __name__ == "__main__":
    main()
