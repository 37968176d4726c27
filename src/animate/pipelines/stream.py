"""Helpers for streams of frames: ranges, times, batches, and decoding ahead of use."""

from __future__ import annotations

from itertools import islice
from queue import Empty, Full, Queue
from threading import Event, Thread
from typing import TYPE_CHECKING, TypeVar

from animate.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator
    from fractions import Fraction

    import torch

Item = TypeVar("Item")


def check_range(start: int, stop: int | None) -> None:
    """Raise ``UserError`` when no frame lies between the first and the one before which to stop."""
    if stop is not None and stop <= start:
        raise UserError(f"the range from frame {start} to {stop} is empty; stop must be larger")


def onward(time: Fraction, before: Fraction | None, fps: Fraction) -> Fraction:
    """Return the time of a frame; 1 / fps after that of the one before where a damaged clock stands still."""
    return time if before is None or time > before else before + 1 / fps


_POLL = 0.1  # seconds after which a waiting producer looks whether anybody still wants its items


class _End:
    """What the producer leaves behind its last item: the exception that ended it, if any."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


def batched(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Yield lists of ``size`` items in order, the last one shorter when they run out."""
    if size < 1:
        raise ValueError(f"a batch holds at least 1 item, not {size}")
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


def ahead(items: Iterable[Item], depth: int) -> Generator[Item]:
    """Yield the items in order while a thread computes up to ``depth`` of them in advance.

    An exception of ``items`` is raised here, in its place. The thread ends when the items do, or when this
    generator is closed. ``depth`` items are held at most, besides the one being computed.
    """
    queue: Queue[Item | _End] = Queue(maxsize=max(1, depth))
    abandoned = Event()
    thread = Thread(target=_produce, args=(items, queue, abandoned), daemon=True)
    thread.start()
    try:
        while not isinstance(item := queue.get(), _End):
            yield item
        if item.error is not None:
            raise item.error
    finally:
        abandoned.set()
        _drain(queue)
        thread.join()


def overlapped(items: Iterable[Item], depth: int, device: torch.device) -> Generator[Item]:
    """Compute items :func:`ahead` where the networks have a processor of their own.

    On a CPU a thread more only takes cores from convolutions, all of whose threads then wait for the last.
    """
    return (item for item in items) if device.type == "cpu" else ahead(items, depth)


def _produce(items: Iterable[Item], queue: Queue[Item | _End], abandoned: Event) -> None:
    error: BaseException | None = None
    iterator = iter(items)
    try:
        for item in iterator:
            if not _put(queue, item, abandoned):
                break
    except BaseException as raised:
        error = raised
    finally:
        close = getattr(iterator, "close", None)  # a generator closes its file in the thread that ran it
        if close is not None:
            close()
    _put(queue, _End(error), abandoned)


def _put(queue: Queue[Item | _End], item: Item | _End, abandoned: Event) -> bool:
    """Wait for room and put the item; False when nobody wants it any more."""
    while not abandoned.is_set():
        try:
            queue.put(item, timeout=_POLL)
        except Full:
            continue
        return True
    return False


def _drain(queue: Queue[Item | _End]) -> None:
    """Drop what is queued, so that frames are freed at once."""
    while True:
        try:
            queue.get_nowait()
        except Empty:
            return
