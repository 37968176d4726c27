"""Work on many items in several processes, with progress from within an item.

A process that dies (killed for memory, a crash inside a decoder) costs its own item: the item is reported
and a new process takes the next. When the parent ends, for whatever reason, so do the workers.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import sys
from collections import deque
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Generic, NamedTuple, NoReturn, Protocol, TypeVar

from animate.cores import usable_cores
from animate.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence
    from multiprocessing.connection import Connection
    from multiprocessing.context import SpawnProcess
    from types import FrameType

Item = TypeVar("Item")
Item_contra = TypeVar("Item_contra", contravariant=True)
Result = TypeVar("Result")
Result_co = TypeVar("Result_co", covariant=True)

_PATIENCE = 20.0  # seconds that a worker has to leave tidily: about a batch of a slow back-end
_TERMINATED = 143


class Tick(NamedTuple):
    """Some frames of an item are done."""

    frames: int


class Done(NamedTuple, Generic[Result]):
    """An item is done."""

    item: int
    """Its place in the list."""
    result: Result


class Failed(NamedTuple):
    """An item could not be done."""

    item: int
    """Its place in the list."""
    reason: str


class Work(Protocol[Item_contra, Result_co]):
    """What is done to each item; yields numbers of frames done and returns the result."""

    def __call__(self, item: Item_contra, /) -> Generator[int, None, Result_co]:
        """Work on an item. A ``UserError`` makes it a failed one."""


class Starter(Protocol[Item_contra, Result_co]):
    """What each process begins with; picklable."""

    def __call__(self) -> Work[Item_contra, Result_co]:
        """Get ready: import libraries, open weights."""


def process(
    start: Starter[Item, Result], items: Sequence[Item], workers: int
) -> Generator[Tick | Done[Result] | Failed]:
    """Do the items, and tell what happens as it happens; results come in any order.

    Args:
        start: makes what does the work, once in each process.
        items: picklable.
        workers: how many processes; with 1 it is this one.

    """
    count = min(workers, len(items))
    if count <= 1:
        work = start()
        for index, item in enumerate(items):
            yield from _one(work, index, item)
        return
    crew = _Crew(start, items)
    try:
        yield from crew.run(count)
    finally:
        crew.dismiss()


def _one(work: Work[Item, Result], index: int, item: Item) -> Generator[Tick | Done[Result] | Failed]:
    """Work on an item; whatever goes wrong there is its own affair, not that of the other items."""
    try:
        frames = work(item)
        while True:
            try:
                yield Tick(next(frames))
            except StopIteration as end:
                yield Done(index, end.value)
                return
    except UserError as error:
        yield Failed(index, str(error))
    except Exception as error:
        yield Failed(index, f"{type(error).__name__}: {error}")


class _Crew(Generic[Item, Result]):
    """The worker processes and what each is at."""

    def __init__(self, start: Starter[Item, Result], items: Sequence[Item]) -> None:
        self._start, self._items = start, items
        self._queue = deque(range(len(items)))
        self._at: dict[Connection, tuple[SpawnProcess, int]] = {}

    def run(self, count: int) -> Iterator[Tick | Done[Result] | Failed]:
        with _share_of_cpus(count):
            while self._queue or self._at:
                while self._queue and len(self._at) < count:
                    self._hire()
                for connection in wait(list(self._at)):
                    assert not isinstance(connection, int)
                    yield self._hear(connection)  # type: ignore[arg-type]

    def _hire(self) -> None:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(self._start, theirs), daemon=True)
        with _without_interrupts():
            process.start()
        theirs.close()
        self._at[ours] = (process, -1)
        self._give(ours)

    def _give(self, connection: Connection) -> None:
        """Hand the next item to a worker, or send it home."""
        process, _ = self._at[connection]
        if not self._queue:
            del self._at[connection]
            connection.close()
            process.join()
            return
        index = self._queue.popleft()
        self._at[connection] = (process, index)
        with suppress(OSError):  # a worker that has just died is noticed when we listen to it
            connection.send((index, self._items[index]))

    def _hear(self, connection: Connection) -> Tick | Done[Result] | Failed:
        process, index = self._at[connection]
        try:
            message: Tick | Done[Result] | Failed = connection.recv()
        except (EOFError, OSError):
            process.join()
            del self._at[connection]
            connection.close()
            return Failed(index, f"the process that worked on it ended ({_ending(process.exitcode)})")
        if not isinstance(message, Tick):
            self._give(connection)
        return message

    def dismiss(self) -> None:
        """End all workers; they remove what they have half written."""
        for process, _ in self._at.values():
            process.terminate()
        for connection, (process, _) in self._at.items():
            process.join(_PATIENCE)
            process.kill()
            process.join()
            connection.close()
        self._at.clear()


def _ending(code: int | None) -> str:
    if code is not None and code < 0:
        return f"signal {signal.Signals(-code).name}; is there enough memory?"
    return f"exit code {code}"


def _serve(start: Starter[Item, Result], parent: Connection) -> None:
    """Run a worker: items in, messages out, until the parent hangs up."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all; the parent tells us
    signal.signal(signal.SIGTERM, _leave)
    logging.getLogger("animate").setLevel(logging.ERROR)
    try:
        work = start()
        while True:
            index, item = parent.recv()
            for message in _one(work, index, item):
                parent.send(message)
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return


def _leave(_number: int, _frame: FrameType | None) -> NoReturn:
    sys.exit(_TERMINATED)


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Keep Ctrl-C from processes that start here, which would complain; our own is heard afterwards."""
    resource_tracker.ensure_running()  # starting it would end what follows
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _share_of_cpus(workers: int) -> Iterator[None]:
    """Let each new process use its share of the processors, unless the user says otherwise."""
    name = "OMP_NUM_THREADS"
    if name in os.environ:
        yield
        return
    os.environ[name] = str(max(1, usable_cores() // workers))
    try:
        yield
    finally:
        del os.environ[name]
