"""Our U²-Net against the published implementation: maps, a first training step, parameter counts."""

from __future__ import annotations

import drawn
import pytest
import torch
from u2net_cases import (
    BATCH,
    FACTS,
    FULL,
    MAPS,
    SIDE,
    TRAINING_SIDE,
    drawn_network,
    golden,
    mask,
    picture,
)

from animate.checkpoints.convert.published import names
from animate.checkpoints.convert.u2net import layers
from animate.networks.u2net import U2Net

ROUNDING = 1e-10  # float64, relative


def test_the_seven_maps_of_u2netp_in_float64() -> None:
    with torch.no_grad():
        made = drawn_network("u2netp")(picture("picture", SIDE, 1))
    assert len(made) == len(MAPS) == 7
    for i, ours in enumerate(made):
        torch.testing.assert_close(ours, MAPS[f"d{i}"], rtol=0, atol=ROUNDING)


@pytest.mark.slow  # 44 million weights
def test_the_seven_maps_of_u2net_in_float64() -> None:
    with torch.no_grad():
        made = drawn_network("u2net")(picture("picture", SIDE, 1))
    for i, ours in enumerate(made):
        assert drawn.fingerprint(f"u2net.d{i}", ours) == pytest.approx(FACTS["u2net"][i], rel=ROUNDING)


def test_a_first_training_step_in_float64() -> None:
    """Cross entropy of all seven maps against one mask, as published: its value and every gradient."""
    network = drawn_network("u2netp").train()
    logits = network.logits(picture("training", TRAINING_SIDE, BATCH))
    goal = mask(TRAINING_SIDE, BATCH)
    loss = sum(torch.nn.functional.binary_cross_entropy_with_logits(one, goal) for one in logits)
    loss.backward()
    assert loss.item() == pytest.approx(FACTS["step"]["loss"], rel=ROUNDING)
    theirs = names(layers(), network.state_dict())
    found = {
        theirs[key]: drawn.fingerprint(theirs[key], value.grad)
        for key, value in network.named_parameters()
        if value.dim() == 4
    }
    assert found.keys() == FACTS["step"]["gradients"].keys()
    largest = max(norm for norm, _ in found.values())
    for key, expected in FACTS["step"]["gradients"].items():
        assert found[key] == pytest.approx(expected, rel=1e-8, abs=1e-9 * largest), key


@pytest.mark.skipif(FULL is None, reason="ANIMATE_GOLDEN does not name the whole set")
@pytest.mark.parametrize("size", ["64x64", "96x96"])
def test_golden_maps(size: str) -> None:
    network, tensors, noise = golden()
    with torch.no_grad():
        made = network(tensors[f"in.{size}"])
    for i, ours in enumerate(made):
        name = f"{size}.d{i}"
        expected = tensors[f"out.{name}"]
        error = (ours - expected).abs().max().item()
        print(f"\n{name} {error:.1e}", end="")
        assert error <= max(2e-5, 5 * noise[name]), name


def test_published_parameter_counts() -> None:
    with torch.device("meta"):
        for layout, count in (("u2net", 44_009_869), ("u2netp", 1_131_181)):
            network = U2Net(layout)
            assert sum(parameter.numel() for parameter in network.parameters()) == count
            assert len(network.state_dict()) == 798
