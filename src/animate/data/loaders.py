"""Loaders over data workers: how they start and end, and in which order their batches come."""

from __future__ import annotations

import multiprocessing
import signal
import threading
from contextlib import contextmanager
from functools import cache, partial
from multiprocessing import forkserver, resource_tracker, util
from multiprocessing.context import ForkServerContext, ForkServerProcess
from typing import TYPE_CHECKING

from torch.utils.data import DataLoader

from animate.data.dataset import Item
from animate.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from animate.data.dataset import RawBatch, Skipped

    Stream = DataLoader[RawBatch | None]


ENDING = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGUSR1") if hasattr(signal, name)]
"""Signals that end a run."""


class ResumableLoader(DataLoader[Item]):
    """A loader that Lightning may resume inside an epoch.

    Lightning takes a loader with these two methods for resumable and warns about any other. The position
    itself stands in :meth:`VideoDataModule.state_dict`.
    """

    def state_dict(self) -> dict[str, int]:
        """Nothing: see the class."""
        return {}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Nothing: see the class."""

    def stop_workers(self) -> None:
        """End the workers that outlive an epoch."""
        if self._iterator is not None:
            stop_workers(self._iterator)
            self._iterator = None


class InTurn:
    """Batches of clip after clip, where clip i is read by stream i modulo their number.

    So the workers behind the streams decode several clips at once, and those who use the frames still get all
    of a clip before the next.

    Args:
        streams: loaders of :class:`WholeClips`, each of its share, by one worker or none.
        clips: how many clips all of them hold together.
        batches: how many batches that makes when all of them can be read.

    """

    def __init__(self, streams: Sequence[Stream], clips: int, batches: int) -> None:
        self.streams, self.clips, self.batches = streams, clips, batches

    def __len__(self) -> int:
        """At most so many."""
        return self.batches

    def __iter__(self) -> Iterator[RawBatch]:
        running = [iter(stream) for stream in self.streams]
        try:
            for number in range(self.clips):
                yield from iter(partial(next, running[number % len(running)]), None)
        finally:
            for stream in running:
                stop_workers(stream)


class Readable:
    """The batches of a loader in evaluation, less those of which nothing could be read.

    Args:
        loader: gives batches that leave out what cannot be read.
        tell: is told what was left out.

    Raises:
        UserError: at the end, when nothing could be read.

    """

    def __init__(self, loader: InTurn | DataLoader[Item], tell: Callable[[Iterable[Skipped]], None]) -> None:
        self.loader, self.tell = loader, tell

    def __len__(self) -> int:
        """At most so many."""
        return len(self.loader)

    def __iter__(self) -> Iterator[RawBatch]:
        lost: list[Skipped] = []
        given = False
        for batch in self.loader:
            self.tell(batch["skipped"])
            lost = lost or batch["skipped"]
            if batch["tensors"]:
                given = True
                yield batch
        if lost and not given:
            raise UserError(f"none of the clips can be read; the first: {lost[0].clip}: {lost[0].reason}")


def stop_workers(iterator: object) -> None:
    """End the worker processes of a loader's iterator, where it has some.

    Left to the garbage collector, each of them holds up the end of the process for 5 seconds.
    """
    shut_down = getattr(iterator, "_shutdown_workers", None)  # that of several processes has it
    if shut_down is not None:
        shut_down()


def as_it_is(batch: RawBatch | None) -> RawBatch | None:
    """Leave a batch as its data set made it."""
    return batch


@cache
def worker_context() -> multiprocessing.context.BaseContext:
    """Return how workers start: never by forking this process.

    A copy could not use its threads and its CUDA context. A fork server imports the readers once and each
    worker is forked from it, which takes milliseconds. It is started here, deaf to what ends the run.
    """
    util.Finalize(None, _kill_workers, exitpriority=100)  # unlike atexit also in a process of joblib
    if multiprocessing.get_start_method(allow_none=True) == "loky":  # in a process of joblib
        multiprocessing.set_start_method("spawn", force=True)  # each worker is told of it, and knows no loky
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = _Context()
    context.set_forkserver_preload(["__main__", "animate.data.dataset", "animate.data.transforms", "cv2"])
    _start_fork_server()
    return context


def _start_fork_server() -> None:
    """Start the fork server with the signals blocked that end a run; it and all workers inherit that.

    Ctrl-C and schedulers signal all processes of a job. The trainer finishes its step and saves, for which it
    may need another batch, so workers outlive it. Blocked from before their first instruction, because one
    that ignored signals by itself would have moments, of importing and of torch's own handlers, in which it
    dies of them.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        resource_tracker.ensure_running()  # which the server needs, and which lets some of them through again
        signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Worker(ForkServerProcess):
    """A worker whose start is not cut short: half of what it is to know would be a traceback of its own."""

    def start(self) -> None:
        """Start; a signal that ends the run is answered afterwards."""
        with answered_later():
            super().start()


class _Context(ForkServerContext):
    Process = _Worker


@contextmanager
def answered_later() -> Iterator[None]:
    """Let the main thread answer signals that end a run only when this is over."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    received: list[int] = []
    handlers = {number: signal.signal(number, lambda number, _: received.append(number)) for number in ENDING}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    for number in received:
        signal.raise_signal(number)


def _kill_workers() -> None:
    """End what an error left running: Python itself would send SIGTERM, which workers ignore, and wait."""
    for process in multiprocessing.active_children():
        if process.daemon:
            process.kill()
