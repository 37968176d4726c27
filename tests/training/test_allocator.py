"""What tensors have freed stays with the process, for those of the next step."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

_FREE = """
import sys
import torch
from animate.training.allocator import keep_freed_memory

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096 / 2**20

if sys.argv[1] == "keep":
    keep_freed_memory()
torch.ones(8)
before = resident()
torch.ones(200 * 2**18)
print(resident() - before)
"""


def _kept(how: str) -> float:
    """Tell how many MiB of 200 stay after they were freed."""
    done = subprocess.run(
        [sys.executable, "-c", _FREE, how], capture_output=True, text=True, check=True, timeout=120
    )
    return float(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only the GNU library can be told to")
def test_freed_memory_stays_when_told_to_and_goes_otherwise() -> None:
    assert _kept("keep") > 190
    assert _kept("as it is") < 20
