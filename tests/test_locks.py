"""A lock is held by one process, ends with it, and leaves no file."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from animate.errors import UserError
from animate.locks import HAS_LOCKS, alone

pytestmark = pytest.mark.skipif(not HAS_LOCKS, reason="there are no such locks here")

HOLDER = """
import sys, time
from pathlib import Path
from animate.locks import alone
with alone(Path(sys.argv[1]), "busy"):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_lock_is_held_once_and_leaves_no_file(tmp_path):
    place = tmp_path / ".lock"
    with alone(place, "busy: wait"):
        with pytest.raises(UserError, match="busy: wait"), alone(place, "busy: wait"):
            raise AssertionError
        assert place.is_file()
    assert not place.exists()
    with pytest.raises(ValueError, match="within"), alone(place, "busy"):
        raise ValueError("within")
    assert not place.exists()


def test_a_lock_ends_with_a_process_that_is_killed(tmp_path):
    place = tmp_path / ".lock"
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(place)], stdout=subprocess.PIPE) as holder:
        try:
            assert holder.stdout.readline() == b"held\n"
            with pytest.raises(UserError, match="busy"), alone(place, "busy"):
                raise AssertionError
        finally:
            holder.send_signal(signal.SIGKILL)
    assert place.is_file()
    with alone(place, "busy"):
        pass
    assert not place.exists()


def test_a_folder_that_went_away_with_the_lock_is_no_error(tmp_path):
    folder = tmp_path / "work"
    folder.mkdir()
    with alone(folder / ".lock", "busy"):
        (folder / ".lock").unlink()
        folder.rmdir()
