"""Data workers do not outlive the process that reads from them."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks processes up in /proc"),
]


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"  # nobody may be there to reap it


def test_workers_end_with_a_reader_that_is_killed() -> None:
    script = Path(__file__).with_name("reader.py")
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True) as reader:
        workers = [int(pid) for pid in reader.stdout.readline().split()]
        assert len(workers) == 2
        assert all(map(alive, workers))
        reader.kill()
    assert not left_alive(workers)


def test_workers_read_on_after_a_sigterm_to_all_processes() -> None:
    script = Path(__file__).with_name("reader.py")
    command = [sys.executable, script]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as reader:
        workers = [int(pid) for pid in reader.stdout.readline().split()]
        os.killpg(reader.pid, signal.SIGTERM)
        assert reader.stdout.readline() == "read on: 996\n"
    assert reader.returncode == 0
    assert not left_alive(workers)


def left_alive(workers: list[int]) -> list[int]:
    """Wait for processes to end; end those that do not, and return them."""
    deadline = time.monotonic() + 30
    while any(map(alive, workers)) and time.monotonic() < deadline:
        time.sleep(0.1)
    left = [pid for pid in workers if alive(pid)]
    for pid in left:
        os.kill(pid, 9)
    return left
