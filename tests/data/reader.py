"""Reads from two data workers and prints their process numbers; after one more signal reads on, and fails."""

from __future__ import annotations

import signal
import time

from torch.utils.data import DataLoader

from animate.data.dataset import quiet_worker
from animate.data.loaders import worker_context


def main() -> None:
    signalled: list[int] = []
    for number in (signal.SIGTERM, signal.SIGUSR1):
        signal.signal(number, lambda number, _: signalled.append(number))
    print("listening", flush=True)
    numbers, context = list(range(1000)), worker_context()
    loader = DataLoader(numbers, num_workers=2, worker_init_fn=quiet_worker, multiprocessing_context=context)
    batches = iter(loader)
    for _ in range(4):  # both workers have begun
        next(batches)
    signalled.clear()
    print(*(worker.pid for worker in batches._workers), flush=True)
    while not signalled:  # a signal that another thread got does not end a longer sleep
        time.sleep(0.05)
    print("read on:", sum(len(next(batches)) for _ in range(100)), flush=True)
    raise KeyError("an error that leaves the workers running")


if __name__ == "__main__":
    main()
