"""One process, two processes and accumulation are the same training; DDP takes every way to train FOMM."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from ranks import CASES, digests, fomm, toy_run


@pytest.fixture(scope="module")
def two_ranks(tmp_path_factory) -> Path:
    """The folder in which each of two ranks has written down its trainings, all from one start of both."""
    folder = tmp_path_factory.mktemp("two_ranks")
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, str(Path(__file__).with_name("ranks.py")), str(folder)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


def of_both(folder: Path, case: str) -> list[dict]:
    return [json.loads((folder / f"{case}_rank{rank}.json").read_text()) for rank in range(2)]


def per_step(*parts: list) -> dict[int, tuple[set[str], float]]:
    """The clips and the mean loss of every optimiser step, over ranks and micro-batches (of equal sizes)."""
    entries: dict[int, list] = {}
    for seen in parts:
        for _, step, clips, loss in seen:
            entries.setdefault(step, []).append((clips, loss))
    return {
        step: ({clip for clips, _ in found for clip in clips}, sum(loss for _, loss in found) / len(found))
        for step, found in entries.items()
    }


def test_ranks_and_accumulation_change_neither_steps_nor_rates_nor_losses(tmp_path, two_ranks) -> None:
    one = toy_run(tmp_path / "one", devices=1, accumulation=1)
    accumulated = toy_run(tmp_path / "accumulated", devices=1, accumulation=2)
    ranks = of_both(two_ranks, "toy")
    expected = per_step(one.module.seen)
    assert len(expected) == 15
    for found in (per_step(accumulated.module.seen), per_step(ranks[0]["seen"], ranks[1]["seen"])):
        assert {step: clips for step, (clips, _) in found.items()} == {
            s: clips for s, (clips, _) in expected.items()
        }
        assert [loss for _, loss in found.values()] == pytest.approx(
            [loss for _, loss in expected.values()], rel=1e-5
        )
    rates = [rate for *_, rate in one.diary.steps]
    assert rates[0] != rates[-1], "a schedule that never changes would prove nothing"
    assert [rate for *_, rate in ranks[0]["steps"]] == rates
    assert [rate for *_, rate in accumulated.diary.steps][1::2] == rates
    assert ranks[0]["digests"] == ranks[1]["digests"]


@pytest.mark.parametrize("case", CASES)
def test_fomm_trains_on_two_processes(two_ranks, case) -> None:
    start = digests_of_start(case)
    first, second = of_both(two_ranks, case)
    learning = set(first["parameters"])
    frozen = {key for key in start if case == "frozen" and key.startswith("networks.keypoint_detector.")}
    assert all(first["digests"][key] == second["digests"][key] for key in learning), "the ranks drifted apart"
    assert all(first["digests"][key] == start[key] for key in frozen), "a frozen part changed"
    unmoved = {key for key in learning - frozen if first["digests"][key] == start[key]}
    assert not unmoved, f"{sorted(unmoved)} did not learn"
    assert case == "no_gan" or any(key.startswith("discriminator.") for key in learning)


def digests_of_start(case: str) -> dict[str, str]:
    class Start:
        module = fomm(case)

    return digests(Start)
