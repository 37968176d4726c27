"""The pages that tensors take: after the first step the kernel is not asked for more."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

_FAULTS = """
import resource, sys
import torch
from animate.training.allocator import keep_freed_memory

if sys.argv[1] == "keep":
    keep_freed_memory()
def step():
    torch.ones(40 * 2**18)  # more than GNU's library would ever keep by itself
torch.ones(200 * 2**18)
step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def _faults(how: str) -> int:
    """Page faults of 20 times 40 MiB, when 200 MiB have been freed."""
    done = subprocess.run(
        [sys.executable, "-c", _FAULTS, how], capture_output=True, text=True, check=True, timeout=120
    )
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only the GNU library can be told to")
def test_what_was_freed_is_used_again() -> None:
    assert _faults("keep") < 0.25 * _faults("as it is")
