"""Listing keys: nothing is lost by folding them."""

from __future__ import annotations

import subprocess

import pytest
import torch

from animate.checkpoints.keys import differences, fold
from animate.networks.fomm import FirstOrderModel


def expand(folded: str) -> set[str]:
    """Let a shell, which invented the notation, write the names out."""
    words = folded.replace(", ", " ")
    out = subprocess.run(["bash", "-c", f"echo {words}"], capture_output=True, text=True, check=True)
    return set(out.stdout.split())


@pytest.mark.parametrize(
    "names",
    [
        ["a"],
        ["a.b", "a.c", "d"],
        ["a", "a.b"],
        [f"blocks.{i}.weight" for i in range(4)] + ["blocks.9.weight"],
        [f"r{i}.conv{j}.{k}" for i in range(3) for j in (1, 2) for k in ("weight", "bias")],
    ],
)
def test_folded_names_expand_to_the_same(names):
    assert expand(fold(names)) == set(names)


def test_all_keys_of_a_whole_model_fit_in_a_line():
    with torch.device("meta"):
        names = list(FirstOrderModel().state_dict())
    assert len(names) > 250
    assert len(fold(names)) < 1200
    assert expand(fold(names)) == set(names)


def test_every_kind_of_difference_is_listed():
    expected = {"a.x": torch.zeros(2, 3), "a.y": torch.zeros(()), "b": torch.zeros(1)}
    found = {"a.x": torch.zeros(3, 2), "a.y": torch.zeros(()), "c.d": torch.zeros(1), "c.e": 5}
    assert differences(expected, found) == (
        "missing: b; unexpected: c.{d,e}; misshaped: a.x is 3x2 instead of 2x3"
    )
    assert differences(expected, expected) is None


def test_a_value_that_is_no_tensor_is_misshaped():
    assert differences({"a": torch.zeros(1)}, {"a": "weights"}) == "misshaped: a is a str instead of 1"
