"""Data workers do not outlive the process that reads from them."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from animate.data.loaders import answered_later

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks processes up in /proc")


@pytest.fixture
def reader() -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, Path(__file__).with_name("reader.py")]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, **pipes, text=True, start_new_session=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "listening\n"
        yield process
        process.kill()


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"  # nobody may be there to reap it


@pytest.mark.slow
def test_workers_end_with_a_reader_that_is_killed(reader) -> None:
    workers = [int(pid) for pid in reader.stdout.readline().split()]
    assert len(workers) == 2
    assert all(map(alive, workers))
    reader.kill()
    assert not left_alive(workers)


@pytest.mark.parametrize(
    "number",
    [signal.SIGTERM, pytest.param(signal.SIGUSR1, marks=pytest.mark.slow)],
    ids=["SIGTERM", "SIGUSR1"],
)
def test_workers_read_on_after_a_signal_to_all_processes_and_end_with_a_reader_that_fails(
    reader, number
) -> None:
    workers = [int(pid) for pid in reader.stdout.readline().split()]
    os.killpg(reader.pid, number)
    assert reader.stdout.readline() == "read on: 100\n"
    assert "an error that leaves the workers running" in reader.communicate(timeout=120)[1]
    assert reader.returncode == 1
    assert not left_alive(workers)


def test_workers_start_under_a_hail_of_signals_to_all_processes(reader) -> None:
    """They hear none from their first instruction on, so there is no moment in which one would end them."""
    with selectors.DefaultSelector() as waiting:
        waiting.register(reader.stdout, selectors.EVENT_READ)
        deadline = time.monotonic() + 120
        while not waiting.select(timeout=0.002) and time.monotonic() < deadline:
            for number in (signal.SIGTERM, signal.SIGUSR1):
                os.killpg(reader.pid, number)
    assert len(reader.stdout.readline().split()) == 2
    os.killpg(reader.pid, signal.SIGTERM)  # the last of the hail may be forgotten: this one is not
    assert reader.stdout.readline() == "read on: 100\n"


def test_a_signal_while_a_worker_starts_is_answered_when_it_has() -> None:
    order = []
    before = signal.signal(signal.SIGTERM, lambda *_: order.append("answered"))
    try:
        with answered_later():
            signal.raise_signal(signal.SIGTERM)
            order.append("started")
        assert order == ["started", "answered"]
        assert signal.getsignal(signal.SIGTERM) is not before
        signal.raise_signal(signal.SIGTERM)
        assert order == ["started", "answered", "answered"]
    finally:
        signal.signal(signal.SIGTERM, before)


def left_alive(workers: list[int]) -> list[int]:
    """Wait for processes to end; end those that do not, and return them."""
    deadline = time.monotonic() + 30
    while any(map(alive, workers)) and time.monotonic() < deadline:
        time.sleep(0.1)
    left = [pid for pid in workers if alive(pid)]
    for pid in left:
        os.kill(pid, 9)
    return left
