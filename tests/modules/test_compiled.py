"""``torch.compile`` of the networks: the same training, in whole graphs, compiled once."""

import copy
from functools import partial

import pytest
import torch
from fomm_parts import batch, discriminator, module
from torch._dynamo import reset
from torch._dynamo.testing import CompileCounter
from torch._dynamo.utils import counters

from animate.modules.fomm import FOMM


def losses(fomm: FOMM, steps: int) -> list[float]:
    """Go on training; the batches are of one shape, as the data module's are."""
    optimizer = fomm.configure_optimizers()["optimizer"]
    found = []
    for index in range(steps):
        loss = torch.stack(list(fomm.training_terms(batch(seed=index)).values())).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        found.append(loss.item())
    return found


@pytest.fixture
def compiler(monkeypatch: pytest.MonkeyPatch) -> CompileCounter:
    """Takes graphs as they are, counts them, and needs no C++ compiler."""
    reset()
    counters.clear()
    counter = CompileCounter()
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=counter))
    return counter


def test_compiled_networks_learn_the_same_and_are_compiled_once(compiler: CompileCounter):
    plain = module(judge=discriminator(spectral_norm=True))
    compiled = copy.deepcopy(plain)
    compiled.compile_networks()
    assert losses(compiled, 2) == pytest.approx(losses(plain, 2), rel=1e-4)
    graphs = compiler.frame_count
    assert graphs >= 4  # detector, generator, discriminator, feature network
    losses(compiled, 2)
    assert compiler.frame_count == graphs
    assert not counters["graph_break"]


def test_names_of_weights_stay(compiler: CompileCounter):
    fomm = module()
    names = list(fomm.state_dict())
    fomm.compile_networks()
    assert list(fomm.state_dict()) == names
