"""Reads from two data workers, prints their process numbers and waits to be killed."""

from __future__ import annotations

import multiprocessing
import time

from torch.utils.data import DataLoader

from animate.data.dataset import quiet_worker


def main() -> None:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["animate.data.dataset", "cv2"])
    numbers = list(range(1000))
    batches = iter(
        DataLoader(numbers, num_workers=2, worker_init_fn=quiet_worker, multiprocessing_context=context)
    )
    for _ in range(4):  # both workers have begun
        next(batches)
    print(*(child.pid for child in multiprocessing.active_children()), flush=True)
    time.sleep(600)


if __name__ == "__main__":
    main()
