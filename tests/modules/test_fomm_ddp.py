"""Plain DDP (no search for unused parameters) over two gloo processes."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from fomm_parts import batch, discriminator, module
from torch import nn
from torch.nn.parallel import DistributedDataParallel

WORLD = 2
CONFIGURATIONS = ("without a discriminator", "frozen part", "all parts")


def build(name: str):
    torch.manual_seed(0)
    judge = None if name == "without a discriminator" else discriminator(condition_on_keypoints=True)
    freeze = ["networks.keypoint_detector"] if name == "frozen part" else []
    return module(judge=judge, freeze=freeze)


class Objective(nn.Module):
    """What Lightning hands to DDP: a module whose forward is the training step."""

    def __init__(self, fomm) -> None:
        super().__init__()
        self.fomm = fomm

    def forward(self, data) -> torch.Tensor:
        return torch.stack(list(self.fomm.training_terms(data).values())).sum()


def share(data, rank: int):
    """The part of a global batch that one rank sees."""
    part = slice(rank * 2, rank * 2 + 2)
    return {key: value[part] for key, value in data.items()}


def gradients(fomm) -> dict[str, torch.Tensor]:
    return {name: p.grad.clone() for name, p in fomm.named_parameters() if p.grad is not None}


def train_on_a_rank(rank: int, port: int, folder: str) -> None:
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    torch.set_num_threads(1)
    dist.init_process_group("gloo", rank=rank, world_size=WORLD)
    for name in CONFIGURATIONS:
        fomm = build(name)
        wrapped = DistributedDataParallel(Objective(fomm))
        fomm.eval()  # batch statistics differ between shards; without them the mean must equal the whole
        results = []
        for seed in range(2):  # an unreduced parameter shows as an error in the second step
            fomm.zero_grad()
            wrapped(share(batch(size=4, seed=seed), rank)).backward()
            results.append(gradients(fomm))
        fomm.train()
        for seed in range(2):
            wrapped(share(batch(size=4, seed=seed), rank)).backward()
        torch.save(results, Path(folder) / f"{name} {rank}.pt")
    dist.destroy_process_group()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ddp")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    mp.spawn(train_on_a_rank, (port, str(path)), WORLD)
    return path


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_two_ranks_get_the_gradients_of_the_whole_batch(folder: Path, name: str) -> None:
    ranks = [torch.load(folder / f"{name} {rank}.pt") for rank in range(WORLD)]
    fomm = build(name).eval()
    objective = Objective(fomm)
    for seed in range(2):
        fomm.zero_grad()
        objective(batch(size=4, seed=seed)).backward()
        whole = gradients(fomm)
        assert set(ranks[0][seed]) == set(whole)
        largest = max(value.abs().max() for value in whole.values())
        for key, value in whole.items():
            assert torch.equal(ranks[0][seed][key], ranks[1][seed][key]), key
            torch.testing.assert_close(ranks[0][seed][key], value, rtol=1e-3, atol=1e-5 * largest.item())
