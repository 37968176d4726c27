"""Every stage of pose2vid on two processes: plain DDP takes it, and it is the training of one process."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from stages import STAGES, checkpoint, overrides

from animate.training import main

WITHOUT_BATCH_STATISTICS = [stage for stage in STAGES if stage != "face"]


@pytest.fixture(scope="module")
def outputs(tmp_path_factory) -> Path:
    """The runs of a job of two ranks, as torchrun starts it, and what each rank ended with."""
    folder = tmp_path_factory.mktemp("stages")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        job = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free.getsockname()[1]), "WORLD_SIZE": "2"}
    job |= {"TORCHELASTIC_RUN_ID": "two", "LOCAL_WORLD_SIZE": "2", "GROUP_RANK": "0", "OMP_NUM_THREADS": "1"}
    job |= {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, str(Path(__file__).with_name("stages.py")), str(folder)]
    ranks = []
    for rank in ("0", "1"):
        environment = os.environ | job | {"RANK": rank, "LOCAL_RANK": rank}
        output = (folder / f"output{rank}.txt").open("w")
        ranks.append(subprocess.Popen(command, env=environment, cwd=folder, stdout=output, stderr=output))
    codes = [rank.wait(timeout=300) for rank in ranks]
    assert codes == [0, 0], [(folder / f"output{rank}.txt").read_text()[-3000:] for rank in range(2)]
    return folder


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_learns_on_two_processes_and_they_end_with_equal_weights(outputs, stage) -> None:
    first, second = (json.loads((outputs / f"rank{rank}.json").read_text())[stage] for rank in range(2))
    assert first["before"] == second["before"]
    assert first["after"] == second["after"]
    unmoved = {name for name, value in first["after"].items() if value == first["before"][name]}
    assert unmoved == set(first["frozen"])
    held = {
        "local": "networks.generator.trunk.",
        "face": "networks.generator.",
        "enhance": "networks.generator.",
    }
    if stage in held:
        named = {name for name in first["after"] if name.startswith(held[stage])}
        assert named == unmoved
        assert named
    else:
        assert not unmoved


@pytest.mark.usefixtures("workplace")
@pytest.mark.parametrize("stage", WITHOUT_BATCH_STATISTICS)
def test_two_processes_make_the_steps_of_one_on_the_whole_batch(outputs, stage) -> None:
    alone = Path("alone").resolve()
    main([*overrides(stage, alone, before=outputs), "trainer=cpu"])
    for epoch, tolerance in (("epoch_0001", 1e-5), ("epoch_0002", 1e-2)):
        # Adam's first moment is a sum of gradients. Its first step takes their signs alone: after it weights
        # may differ where a gradient is next to nothing.
        two, one = (moments(checkpoint(run, stage, epoch)) for run in (outputs, alone))
        largest = max(moment.abs().max() for moment in one)
        for moment, other in zip(one, two, strict=True):
            torch.testing.assert_close(other, moment, rtol=1e-3, atol=tolerance * largest.item())


def moments(path: Path) -> list[torch.Tensor]:
    state = torch.load(path, weights_only=True)["optimizer_states"][0]["state"]
    return [entry["exp_avg"] for entry in state.values()]
