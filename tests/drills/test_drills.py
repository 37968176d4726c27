"""The drills themselves, with fewer kills than their command lines take."""

from __future__ import annotations

import sys

import disk
import kill
import pytest
from jobs import JOBS

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes are found in /proc"),
]


@pytest.mark.parametrize("job", JOBS, ids=lambda job: job.name)
def test_three_kills_leave_nothing_torn_and_change_nothing(job, tmp_path) -> None:
    report = kill.drill(job, 3, tmp_path / job.name)
    assert len(report.moments) == 3
    assert not report.wrong, report


@pytest.mark.parametrize("job", JOBS, ids=lambda job: job.name)
def test_a_disk_that_is_too_small_is_told_and_changes_nothing(job, tmp_path) -> None:
    report = disk.drill(job, tmp_path / job.name, shares=(0.0, 0.6))
    assert not report.wrong, report
    assert report.told[0.0] != disk.ENOUGH
