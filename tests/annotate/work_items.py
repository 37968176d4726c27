"""Work for the tests of processes; imports nothing heavy, as every process imports it."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from animate.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path


@dataclass(frozen=True)
class Start:
    """Begins work in a folder, where each process leaves its number."""

    folder: Path

    def __call__(self) -> Work:
        (self.folder / f"pid{os.getpid()}").touch()
        return Work(self.folder)


@dataclass(frozen=True)
class Work:
    folder: Path

    def __call__(self, item: str) -> Generator[int, None, str]:
        yield 2
        if item == "refuse":
            raise UserError("no such picture")
        if item == "stumble":
            raise ZeroDivisionError("by zero")
        if item == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if item == "wait":
            yield from self.wait()
        yield 3
        if item == "mask":
            return str(signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, []))
        return item.upper()

    def wait(self) -> Generator[int]:
        temporary = self.folder / f"half{os.getpid()}"
        temporary.touch()
        try:
            for _ in range(1000):
                yield 0
                time.sleep(0.05)
        finally:
            temporary.unlink()
