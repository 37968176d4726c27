"""Our background network against golden vectors of Impersonator's; parameter counts of what is published.

The published network gives pictures in [-1, 1], ours in [0, 1]: results are brought back to be compared.
"""

from __future__ import annotations

import pytest
import torch
from inpainting_cases import FILES, golden

from animate.networks.inpainting import ResNetInpainter


@pytest.mark.parametrize("name", FILES)
def test_golden_background(name: str) -> None:
    case = golden(name)
    with torch.no_grad():
        made = 2 * case.network(case.x) - 1
    error = (made - case.y).abs().max().item()
    print(f"\n{name} {error:.1e}", end="")
    assert made.shape == case.y.shape
    assert error <= max(2e-5, 5 * case.noise)


def test_published_parameter_counts() -> None:
    with torch.device("meta"):
        network = ResNetInpainter("impersonator")
    assert sum(parameter.numel() for parameter in network.parameters()) == 31_445_184
    assert len(network.state_dict()) == 58
