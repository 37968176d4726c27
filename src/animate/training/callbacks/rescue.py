"""A checkpoint of the last complete step, written by a survivor when another rank has died.

No collective can be called then, and the main thread may be stuck in one for ever; so another thread writes,
from what every rank has anyway: under DDP all hold the same weights.
"""

from __future__ import annotations

import os
from contextlib import nullcontext, suppress
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import torch
from pytorch_lightning import Callback
from typing_extensions import override

from animate.checkpoints import files
from animate.errors import UserError
from animate.training import lifeline
from animate.training.callbacks.checkpoints import Checkpoints, settle_counters, settle_last_batch
from animate.training.ranks import ending

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from pytorch_lightning import LightningModule, Trainer
    from torch import Tensor
    from torch.optim import Optimizer

    from animate.training.lifeline import Address

_PATIENCE = 10.0  # seconds that an optimiser step may take


class _Boundary(NamedTuple):
    """What a step's end has that the next changes before its own end; weights change there only."""

    counters: dict[str, Any]
    buffers: dict[str, Tensor]
    done: torch.cuda.Event | None
    """Reached when the device has come so far; None where it computes at once."""


class Rescue(Callback):
    """Connects the ranks, and saves ``last.ckpt`` when one of them dies; does nothing for a single rank.

    Has to stand behind the callback that averages weights and before all that make ranks wait for each
    other: they may hold a step's end up.
    """

    def __init__(self) -> None:
        self._boundaries: list[_Boundary] = []
        self._stepping = Lock()
        """Held from before the weights change until the counters have been noted."""
        self._trainer: Trainer | None = None
        self.active = False
        """Whether other ranks may die."""

    @override
    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Connect the ranks, in agreement with all of them."""
        self._trainer, self.active = trainer, trainer.world_size > 1
        if trainer.world_size == 1 or ending.lifeline is not None:
            return
        path = self._path()
        for mark in path.parents[1].glob(".rescue-*") if path and trainer.is_global_zero else ():
            mark.unlink()  # of an accident of before
        environment = trainer.strategy.cluster_environment  # type: ignore[attr-defined]  # of parallel ones
        host = lifeline.reachable_host(environment.main_address, trainer.num_nodes)
        ending.rescue = self.rescue
        agree = cast("Callable[[Address | None], Address]", trainer.strategy.broadcast)
        ending.lifeline = lifeline.connect(trainer.global_rank, trainer.world_size, host, agree, ending)

    @override
    def on_before_optimizer_step(
        self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer
    ) -> None:
        if self.active:
            self._stepping.acquire()

    @override
    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Note where a step has ended."""
        if not trainer.fit_loop._should_accumulate():
            self.note(trainer)

    @override
    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Forget the epoch before, which has been saved."""
        self._boundaries.clear()

    @override
    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Forget the last epoch likewise."""
        self._boundaries.clear()

    def note(self, trainer: Trainer) -> None:
        """Note the counters and the running statistics of now."""
        if self.active:
            self._boundaries = [*_from_the_last_done(self._boundaries), boundary(trainer)]
            with suppress(RuntimeError):  # a step that was left out took no lock
                self._stepping.release()

    def rescue(self, first: bool) -> str | None:
        """Save ``last.ckpt`` where something is to be saved.

        Args:
            first: this is the first rank, which saves; else the survivor does that comes first.

        Returns:
            How to go on, for the user, or None where another survivor does all that.

        """
        path = self._path()
        if path is None:
            return "nothing is saved, as callbacks.checkpoints is null"
        if not first and not _claimed(path):
            return None
        noted = _from_the_last_done(self._boundaries)[:1]
        try:
            step = self.save(path, noted[0]) if noted else None
        except UserError as error:
            return f"{error}"
        if step is None and not path.is_file():
            return "nothing had been saved yet"
        where = "the last checkpoint" if step is None else f"step {step}"
        return f"resume={_from_here(path.parents[1])} goes on from {where}"

    def save(self, path: Path, noted: _Boundary) -> int | None:
        """Write a checkpoint of a boundary; no rank is asked.

        Returns:
            Its optimiser step; None, and nothing is written, where a step is under way that does not end.

        Raises:
            UserError: it cannot be written.

        """
        trainer = self._trainer
        assert trainer is not None
        if not self._stepping.acquire(timeout=_PATIENCE):
            return None
        device = trainer.strategy.root_device
        # The stream of the main thread may wait for the rank that died.
        with _stream_of_its_own(device):
            checkpoint = trainer._checkpoint_connector.dump_checkpoint(weights_only=False)
            checkpoint |= noted.counters
            module = "current_model_state" if "current_model_state" in checkpoint else "state_dict"
            checkpoint[module] |= noted.buffers
            path.parent.mkdir(parents=True, exist_ok=True)
            files.write(path, checkpoint)
        return int(noted.counters["global_step"])

    def _path(self) -> Path | None:
        callbacks = self._trainer.checkpoint_callbacks if self._trainer else []
        found = [one.folder / "last.ckpt" for one in callbacks if isinstance(one, Checkpoints)]
        return found[0] if found else None


def boundary(trainer: Trainer) -> _Boundary:
    """Note what a checkpoint of this moment says, besides the weights and what moves with them."""
    module, data = trainer.lightning_module, trainer.datamodule  # type: ignore[attr-defined]
    loops = trainer._checkpoint_connector._get_loops_state_dict()
    settle_counters(loops["fit_loop"], trainer)
    settle_last_batch(loops["fit_loop"], trainer)
    counters = {"loops": loops, "epoch": trainer.current_epoch, "global_step": trainer.global_step}
    if data is not None:
        counters[type(data).__qualname__] = data.state_dict()
    kept = module.state_dict().keys()
    buffers = {name: value.clone() for name, value in module.named_buffers() if name in kept}
    done = torch.cuda.Event() if module.device.type == "cuda" else None  # type: ignore[no-untyped-call]
    if done is not None:
        done.record()
    return _Boundary(counters, buffers, done)


def _from_the_last_done(boundaries: list[_Boundary]) -> list[_Boundary]:
    """Drop those before the last that the device has reached; it may be some steps behind."""
    done = [number for number, noted in enumerate(boundaries) if _reached(noted.done)]
    return boundaries[done[-1] :] if done else boundaries


def _reached(done: torch.cuda.Event | None) -> bool:
    return done is None or bool(done.query())  # type: ignore[no-untyped-call]


def _stream_of_its_own(device: torch.device) -> AbstractContextManager[Any]:
    if device.type != "cuda":
        return nullcontext()
    return torch.cuda.stream(torch.cuda.Stream(device))  # type: ignore[no-untyped-call]


def _claimed(path: Path) -> bool:
    """Whether this rank is the first survivor to save at a path, of those that noticed the same death."""
    assert ending.lifeline is not None
    mark = path.parents[1] / f".rescue-{ending.lifeline.token}"
    with suppress(OSError):
        os.close(os.open(mark, os.O_CREAT | os.O_EXCL))
        return True
    return False


def _from_here(folder: Path) -> Path:
    return folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder
