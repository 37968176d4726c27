"""Processes to be killed: a command with all that it starts, found by a mark in their environment (Linux)."""

from __future__ import annotations

import os
import resource
import secrets
import signal
import subprocess
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_MARK = "ANIMATE_DRILL"
_PATIENCE = 30.0  # seconds in which processes end whose first one is gone
_LOOK = 0.02  # seconds between two looks at the clock
_TICKS = os.sysconf("SC_CLK_TCK")


class Crowd:
    """A command and whatever it starts.

    Args:
        command: the program and its arguments.
        log: where its output goes, after what is there.
        cache: stands in the place of the user's cache folder.
        largest: bytes of a file beyond which the system refuses to write.

    """

    def __init__(self, command: list[str], log: Path, cache: Path, largest: int | None = None) -> None:
        self._mark = secrets.token_hex(8)
        # One thread: sums over several are other sums.
        marks = {_MARK: self._mark, "OMP_NUM_THREADS": "1", "XDG_CACHE_HOME": str(cache)}
        # glibc fills new memory with it: what reads memory that nobody set comes to other results each time.
        marks["MALLOC_PERTURB_"] = str(1 + secrets.randbelow(255))
        with log.open("ab") as told:
            self._first = subprocess.Popen(
                command,
                env=os.environ | marks,
                stdout=told,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=None if largest is None else partial(_limit, largest),
            )

    def work(self, seconds: float = float("inf")) -> tuple[int | None, float]:
        """Wait until it has ended, or has used so much time of processors, all processes together.

        Returns:
            Its exit code, or None; and the seconds used.

        """
        used = 0.0
        while used < seconds and self._first.poll() is None:
            time.sleep(_LOOK)
            used = max(used, self._used())
        return self._first.poll(), used

    def _used(self) -> float:
        """Sum up over the session; a process accounts for its children when they have ended."""
        total = 0
        for path in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):
                fields = path.read_text().rpartition(")")[2].split()
                if int(fields[3]) == self._first.pid:
                    total += sum(map(int, fields[11:15]))
        return total / _TICKS

    def kill(self, alone: bool) -> None:
        """End the first process alone, or all of them, without a warning."""
        with suppress(ProcessLookupError):
            (os.kill if alone else os.killpg)(self._first.pid, signal.SIGKILL)
        self._first.wait()

    def gone(self) -> bool:
        """Tell whether all have ended within some seconds; those that have not are killed."""
        patience = time.monotonic() + _PATIENCE
        while any(self._alive()):
            if time.monotonic() > patience:
                for pid in self._alive():
                    os.kill(pid, signal.SIGKILL)
                return False
            time.sleep(0.1)
        return True

    def _alive(self) -> Iterator[int]:
        mark = f"{_MARK}={self._mark}".encode()
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if mark in (folder / "environ").read_bytes().split(b"\0"):
                    yield int(folder.name)


def _limit(largest: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
