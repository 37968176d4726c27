"""Make a prepared store: its parts over processes, then its header."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from concurrent.futures import FIRST_EXCEPTION, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from animate.data.store.layout import HEADER, File, Header, Part, decibels
from animate.data.store.part import write_part
from animate.data.store.plan import done
from animate.errors import UserError
from animate.locks import alone
from animate.video.atomic import discard, explain, sweep, temporary_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from multiprocessing.process import BaseProcess
    from multiprocessing.sharedctypes import Synchronized
    from multiprocessing.synchronize import Event
    from pathlib import Path

    from animate.data.store.plan import PartPlan, Plan, Recipe

_TICK = 0.2  # seconds between two looks at how far the processes are
_LOCK = ".shard-{}-of-{}.lock"


@contextmanager
def working(folder: Path, number: int, count: int) -> Iterator[None]:
    """Keep other processes from shard ``number`` of ``count`` of a store; they would do the same work.

    Raises:
        UserError: another process is at it, or the place cannot be written.

    """
    busy = f"{folder}: another process is at work on this store (shard {number}/{count}); wait for it"
    with ExitStack() as held:
        try:
            held.enter_context(alone(folder / _LOCK.format(number, count), busy))
        except OSError as error:
            raise explain(folder, error) from error
        yield


def write_parts(
    folder: Path, plan: Plan, parts: Sequence[PartPlan], workers: int, advance: Callable[[int], None]
) -> None:
    """Write parts of a store; the header too is taken away, since it would be about other parts.

    Args:
        folder: of the store; :func:`~animate.data.store.plan.begin` has been there.
        plan: what goes into it.
        parts: which of its parts.
        workers: processes.
        advance: called now and then with the number of frames that were stored since.

    Raises:
        UserError: a part cannot be written, or a process has died; the parts that are done stay.

    """
    (folder / HEADER).unlink(missing_ok=True)
    context = multiprocessing.get_context("spawn")
    counter, stop = context.Value("q", 0), context.Event()
    shared = (counter, stop)
    with ProcessPoolExecutor(
        min(workers, len(parts)), context, initializer=_start_worker, initargs=shared
    ) as pool:
        jobs = [pool.submit(_write, folder, part, plan.recipe, plan.digest) for part in parts]
        try:
            _follow(jobs, counter, advance)
        except BrokenProcessPool as error:
            raise UserError(
                f"{folder}: a process was killed, perhaps for want of memory; run the same command again, it"
                " goes on (with fewer --workers)"
            ) from error
        finally:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)


def _follow(jobs: Iterable[Future[None]], counter: Synchronized[int], advance: Callable[[int], None]) -> None:
    """Wait for all, or for the first that fails."""
    waiting, told = set(jobs), 0
    while waiting:
        finished, waiting = wait(waiting, _TICK, FIRST_EXCEPTION)
        for job in finished:
            job.result()
        stored = counter.value
        advance(stored - told)
        told = stored


class _StoppedError(Exception):
    """The others have stopped."""


@dataclass
class _Worker:
    """What a process shares with the one that started it."""

    counter: Synchronized[int]
    stop: Event

    def tell(self, frames: int) -> None:
        """Count frames; leave when another part has failed."""
        if self.stop.is_set():
            raise _StoppedError
        with self.counter.get_lock():
            self.counter.value += frames


_worker: list[_Worker] = []


def _start_worker(counter: Synchronized[int], stop: Event) -> None:
    import cv2

    cv2.setNumThreads(0)  # parallelism comes from the processes
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _worker.append(_Worker(counter, stop))
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: BaseProcess) -> None:
    """Leave when the process that started us is gone, even by SIGKILL."""
    parent.join()
    os._exit(1)


def _write(folder: Path, part: PartPlan, recipe: Recipe, plan: str) -> None:
    with suppress(_StoppedError):
        write_part(folder, part, recipe, plan, _worker[0].tell)


def finish(folder: Path, plan: Plan) -> Header | None:
    """Write the header when every part is there; None when some are another shard's to write.

    Raises:
        UserError: the place cannot be written.

    """
    indices = [done(folder, part.name, plan.digest) for part in plan.parts]
    found = [index for index in indices if index is not None]
    if len(found) < len(indices):
        return None
    clips = [clip for index, _ in found for clip in index.clips]
    frames = sum(clip.frames for clip in clips)
    if not clips:
        raise UserError(f"{folder}: nothing of the source can be decoded")
    header = Header(
        plan=plan.digest,
        size=plan.recipe.size,
        codec=plan.recipe.codec.name,
        quality=plan.recipe.quality,
        psnr=decibels(sum(clip.error * clip.frames for clip in clips) / frames),
        worst_psnr=decibels(max(clip.worst_error for clip in clips)),
        clips=len(clips),
        frames=frames,
        left_out=(*plan.problems, *(reason for index, _ in found for reason in index.left_out)),
        parts=tuple(
            Part(part.name, index.tar, File.of(text))
            for part, (index, text) in zip(plan.parts, found, strict=True)
        ),
    )
    with temporary_file(folder / HEADER) as temporary:
        temporary.write_text(header.dumps(), "utf-8")
    _tidy(folder)
    return header


def _tidy(folder: Path) -> None:
    """Remove what processes that were killed have left; while another one is at work, it is for that one."""
    sweep(folder, ".json")
    for place in folder.glob(_LOCK.format("*", "*")):
        try:
            with alone(place, "held"):
                pass  # of a process that was killed; its file goes as it is let go
        except (UserError, OSError):
            return
    for leftover in folder.glob(".part-*.part.*"):
        discard(leftover)
