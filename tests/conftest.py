"""What all tests share; ``tests/`` is where helpers such as ``small`` are imported from."""

import signal

import pytest
import torch

# What a shell runs in the background ignores Ctrl-C, and so would what a test starts to stop it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)
