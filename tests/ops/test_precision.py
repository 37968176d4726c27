"""Promotion of half precision."""

from __future__ import annotations

import pytest
import torch

from animate.ops.precision import at_least_float32


@pytest.mark.parametrize("low", [torch.float16, torch.bfloat16, torch.uint8])
def test_low_precision_becomes_float32(low: torch.dtype) -> None:
    promoted = at_least_float32(torch.tensor([0, 1, 3]).to(low))
    assert promoted.dtype == torch.float32
    assert promoted.tolist() == [0, 1, 3]


@pytest.mark.parametrize("high", [torch.float32, torch.float64])
def test_other_precision_stays_without_a_copy(high: torch.dtype) -> None:
    value = torch.rand(3, dtype=high)
    assert at_least_float32(value) is value
