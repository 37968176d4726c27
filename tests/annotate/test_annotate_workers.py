"""Items in several processes: all are done, what goes wrong costs its own item, nobody is left behind."""

from __future__ import annotations

import os
import signal
from contextlib import closing

import pytest
from work_items import Start

from animate.annotate.workers import Done, Failed, Tick, process


def outcome(folder, items, workers):
    messages = list(process(Start(folder), items, workers))
    done = {m.item: m.result for m in messages if isinstance(m, Done)}
    failed = {m.item: m.reason for m in messages if isinstance(m, Failed)}
    return done, failed, sum(m.frames for m in messages if isinstance(m, Tick))


def pids(folder):
    return [int(path.name[3:]) for path in folder.glob("pid*")]


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("workers", [1, 2])
def test_all_are_done_and_errors_are_told(tmp_path, workers):
    items = ["a", "refuse", "b", "stumble", "c"]
    done, failed, frames = outcome(tmp_path, items, workers)
    assert done == {0: "A", 2: "B", 4: "C"}
    assert failed == {1: "no such picture", 3: "ZeroDivisionError: by zero"}
    assert frames == 3 * 5 + 2 * 2
    assert len(pids(tmp_path)) == workers
    assert (pids(tmp_path) == [os.getpid()]) == (workers == 1)


def test_a_process_that_dies_costs_its_own_item(tmp_path):
    done, failed, _ = outcome(tmp_path, ["a", "die", "b", "c"], 2)
    assert done == {0: "A", 2: "B", 3: "C"}
    assert list(failed) == [1]
    assert "SIGKILL" in failed[1]


def test_no_more_processes_than_items(tmp_path):
    outcome(tmp_path, ["a"], 8)
    assert pids(tmp_path) == [os.getpid()]


def test_leaving_early_ends_the_processes_tidily(tmp_path):
    with closing(process(Start(tmp_path), ["wait", "wait", "a"], 2)) as messages:
        while len(list(tmp_path.glob("half*"))) < 2:
            next(messages)
    assert len(pids(tmp_path)) == 2
    assert not any(map(alive, pids(tmp_path)))
    assert not list(tmp_path.glob("half*"))


def test_ctrl_c_is_kept_from_processes_from_their_start_and_not_from_us(tmp_path):
    done, _, _ = outcome(tmp_path, ["mask", "mask"], 2)
    assert set(done.values()) == {"True"}
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])


def test_each_process_gets_its_share_of_the_processors_unless_told_otherwise(tmp_path, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    outcome(tmp_path, ["a", "b"], 2)
    assert "OMP_NUM_THREADS" not in os.environ
