"""What all tests share; ``tests/`` is where helpers such as ``small`` are imported from."""

import pytest
import torch


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)
