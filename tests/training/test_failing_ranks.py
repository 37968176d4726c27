"""A rank that fails ends all of them: one line, the exit code of a single process, nothing left behind."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cli import TINY

pytestmark = pytest.mark.usefixtures("workplace")
PROGRAM = Path(__file__).with_name("failing_ranks.py")
TWO = [*TINY, "trainer.devices=2", "trainer.strategy=ddp", "trainer.limit_val_batches=0"]


def ended(accident: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(PROGRAM), *TWO],
        env=os.environ | {"ACCIDENT": accident, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def complaints(done: subprocess.CompletedProcess[str]) -> list[str]:
    return [line for line in done.stderr.splitlines() if "error: " in line or "Traceback" in line]


@pytest.mark.parametrize(
    "accident",
    [
        "on_before_batch_transfer user_error 1",
        pytest.param("on_before_batch_transfer user_error 01", marks=pytest.mark.slow),
        pytest.param("on_before_batch_transfer user_error 0", marks=pytest.mark.slow),
        pytest.param("setup user_error 1", marks=pytest.mark.slow),
        pytest.param("__init__ user_error 1", marks=pytest.mark.slow),
    ],
)
def test_a_users_error_in_any_rank_is_one_line(accident) -> None:
    done = ended(accident)
    assert complaints(done) == ["animate: error: clip7 is torn"], done.stderr
    assert done.returncode == 2
    assert not list(Path().glob("outputs/*/*"))


@pytest.mark.slow
def test_a_defect_in_a_rank_shows_its_traceback_once() -> None:
    done = ended("on_before_batch_transfer defect 1")
    assert done.stderr.count("Traceback") == 1, done.stderr
    assert "ZeroDivisionError: a defect of ours" in done.stderr.splitlines()[-1]
    assert done.returncode == 1
