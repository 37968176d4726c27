"""Memory that runs out is one line with the batch size to try; here allocators fail when they are told to."""

from __future__ import annotations

import resource
import subprocess
import sys

import pytest
import torch

from animate.modules.fomm import FOMM
from animate.training import main
from animate.training.callbacks import Memory
from animate.training.callbacks.out_of_memory import fitting
from animate.training.memory import Estimate
from cli import ROOT, TINY, refused

pytestmark = pytest.mark.usefixtures("workplace")
ERRORS = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory"),
    MemoryError("std::bad_alloc"),
]
IDS = ["GPU", "CPU", "Python"]


def failing(monkeypatch, step: str, error: BaseException, most: int = 0) -> None:
    """Let a step fail for batches of more than so many samples."""
    unharmed = getattr(FOMM, step)

    def harmed(self, batch, batch_idx):
        if len(batch["clip"]) > most:
            raise error
        return unharmed(self, batch, batch_idx)

    monkeypatch.setattr(FOMM, step, harmed)


@pytest.mark.parametrize("error", ERRORS, ids=IDS)
def test_training_names_a_batch_that_then_fits(capfd, monkeypatch, error) -> None:
    failing(monkeypatch, "training_step", error, most=2)
    options = [*TINY, "trainer.limit_val_batches=0"]
    line = refused(capfd, *options, "data.batch_size=4")
    assert "out of memory on cpu in a training step with 4 samples at a time" in line
    assert "try trainer.accumulate_grad_batches=2 or data.batch_size=2" in line
    main([*options, "data.batch_size=4", "trainer.accumulate_grad_batches=2"])
    main([*options, "data.batch_size=2"])


def test_one_sample_that_is_too_many_needs_smaller_pictures(capfd, monkeypatch) -> None:
    failing(monkeypatch, "training_step", ERRORS[0])
    line = refused(capfd, *TINY, "data.batch_size=1")
    assert "with 1 sample at a time; try a smaller data.image_size" in line


def test_validation_names_its_own_setting(capfd, monkeypatch) -> None:
    failing(monkeypatch, "validation_step", ERRORS[1])
    with pytest.raises(SystemExit) as stopped:
        main([*TINY, "data.eval_batch_size=8"])
    assert stopped.value.code == 2
    (line,) = [line for line in capfd.readouterr().err.splitlines() if "error: " in line]
    assert "in an evaluation of 8 clips at a time; try data.eval_batch_size=4" in line


def test_the_estimate_decides_where_there_is_one(capfd, monkeypatch) -> None:
    failing(monkeypatch, "training_step", ERRORS[0], most=1)
    found = Estimate(weights=10, gradients=10, adam=20, kept=700, passing=100)

    def tell(self, *_) -> None:
        self.found = found

    monkeypatch.setattr(Memory, "on_train_batch_start", tell)
    monkeypatch.setattr("animate.training.callbacks.out_of_memory.memory_of", lambda _: 300)
    options = [line for line in TINY if line != "callbacks.memory=null"]
    line = refused(capfd, *options, "data.batch_size=8")
    assert "trainer.accumulate_grad_batches=4 or data.batch_size=2" in line


@pytest.mark.parametrize(
    ("batch", "room", "smaller"),
    [(8, 300, 2), (8, 839, 4), (12, 440, 6), (12, 439, 4), (7, 839, 1), (8, 10, 1), (1, 10, 0), (9, None, 3)],
)
def test_the_most_that_divides_and_fits(batch, room, smaller) -> None:
    """40 bytes stay, 800 grow with the batch: so many of them fit as 40 + 800 n / batch <= room."""
    found = Estimate(weights=10, gradients=10, adam=20, kept=700, passing=100)
    assert fitting(batch, found, room) == smaller
    if room is not None and smaller > 1:
        assert 40 + 800 * smaller / batch <= room


def test_no_tensor_of_the_failed_step_is_kept(capfd, monkeypatch) -> None:
    """A sweep holds on to the errors of its jobs, and must not hold on to their pictures by that."""
    import gc
    import weakref

    held: list[weakref.ref[torch.Tensor]] = []

    def step(self, batch, batch_idx):
        many = batch["frames"] * 2
        held.append(weakref.ref(many))
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(FOMM, "training_step", step)
    with pytest.raises(SystemExit) as stopped:
        main(["-m", *TINY, "seed=1,2", "hydra.sweep.dir=sweep"])
    assert stopped.value.code == 2
    gc.collect()
    assert len(held) == 2
    assert not any(reference() is not None for reference in held)
    assert capfd.readouterr().err.count("animate: error: out of memory") == 2


def test_a_worker_that_was_killed_for_memory_is_one_line(capfd, monkeypatch) -> None:
    def step(self, batch, batch_idx):
        raise RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed. ")

    monkeypatch.setattr(FOMM, "training_step", step)
    assert "is there enough memory? use fewer workers with data.num_workers" in refused(capfd, *TINY)


def limited() -> None:
    """Little more than what the program itself takes."""
    resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere this limit is not kept")
def test_a_machine_without_memory_for_the_batch() -> None:
    """For real: the batch wants more than the process may have, and the one that is named fits."""
    options = [*TINY, "data.image_size=128", "trainer.limit_val_batches=0", "data.steps_per_epoch=1"]

    def ended(*more: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(ROOT / "train.py"), *options, *more]
        return subprocess.run(command, preexec_fn=limited, capture_output=True, text=True, check=False)

    batches = [512]
    while (done := ended(f"data.batch_size={batches[-1]}")).returncode:
        assert done.returncode == 2, done.stderr
        (line,) = [line for line in done.stderr.splitlines() if line.startswith("animate: error: ")]
        batches.append(int(line.partition("or data.batch_size=")[2].partition(",")[0]))
    assert batches[:2] == [512, 256], "without an estimate it is halved"
