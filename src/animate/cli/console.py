"""What the verbs that run for a while share: progress on the terminal, and a tidy end on SIGTERM."""

from __future__ import annotations

import signal
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn, TypeVar

from animate.errors import UserError, ran_out_of_memory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import FrameType

Item = TypeVar("Item")

TERMINATED = 143


def counted(number: int, what: str) -> str:
    """Say how many there are: ``1 clip``, ``2 clips``."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def track(items: Iterable[Item], what: str, total: int | None, unit: str = "frames") -> Iterator[Item]:
    """Pass items on under a progress bar with ``unit`` per second; silent where stderr is no terminal."""
    with bar(what, total, unit) as advance:
        for item in items:
            yield item
            advance(1, what)


@contextmanager
def bar(what: str, total: int | None, unit: str = "frames") -> Iterator[Callable[[int, str], None]]:
    """Show a progress bar with ``unit`` per second while the block runs; silent where stderr is no terminal.

    Yields what moves it: called with how many are done more, and what is being done.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    console = Console(file=sys.stderr)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(what, total=total, rate="")

        def advance(count: int, what: str) -> None:
            speed = progress.tasks[0].speed
            rate = f"{speed:.1f} {unit}/s" if speed else ""
            progress.update(task, advance=count, description=what, rate=rate)

        yield advance


@contextmanager
def at_once(batch_size: int) -> Iterator[None]:
    """Within the block ``UserError`` says which ``--batch-size`` to try when memory runs out.

    Args:
        batch_size: frames at once, now.

    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not ran_out_of_memory(error):
            raise
        smaller = f"try --batch-size {batch_size // 2}" if batch_size > 1 else "smaller pictures are needed"
        raise UserError(
            f"out of memory with {counted(batch_size, 'frame')} at once; {smaller}, or another --device"
        ) from error


@contextmanager
def terminable() -> Iterator[None]:
    """Within the block SIGTERM is an exception, so that temporary files are removed before the end."""
    before = signal.signal(signal.SIGTERM, _leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _leave(_number: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(TERMINATED)
