"""What a survivor writes when another rank has died: training goes on as if nothing had happened."""
# ruff: noqa: ARG002  Lightning's hooks have the arguments that they have

from __future__ import annotations

import pytest
from harness import Stopped, train
from pytorch_lightning import Callback

from animate.training.callbacks import Rescue


class OneOfTwo(Rescue):
    """Takes a training of one rank for one of several."""

    def setup(self, trainer, pl_module, stage) -> None:
        super().setup(trainer, pl_module, stage)
        self.active = True


class DeathAt(Callback):
    """Another rank dies, and this one notices in a hook: it writes down what it has, and ends."""

    def __init__(self, rescue: Rescue, hook: str, epoch: int, batch: int) -> None:
        self.rescue, self.at = rescue, (hook, epoch, batch)
        self.said: str | None = None

    def _notice(self, *at) -> None:
        if at == self.at:
            self.said = self.rescue.rescue(first=True)
            raise Stopped

    def on_after_backward(self, trainer, pl_module) -> None:
        self._notice("reduction", trainer.current_epoch, trainer.fit_loop.epoch_loop.batch_idx)

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx) -> None:
        self._notice("agreement", trainer.current_epoch, batch_idx)

    def on_validation_batch_end(
        self, trainer, pl_module, outputs, batch, batch_idx, dataloader_idx=0
    ) -> None:
        self._notice("validation", trainer.current_epoch, batch_idx)

    def on_validation_end(self, trainer, pl_module) -> None:
        self._notice("validated", trainer.current_epoch, 0)


PLACES = {
    "in a step": ("reduction", 1, 2),
    "in the first step of an epoch": ("reduction", 1, 0),
    "in the second half of an accumulated step": ("reduction", 1, 1),
    "after a step": ("agreement", 1, 2),
    "after an epoch's last step": ("agreement", 1, 4),
    "in a validation": ("validation", 1, 1),
    "after a validation": ("validated", 1, 0),
}


ALSO = pytest.mark.slow


@pytest.mark.parametrize(
    ("accumulation", "validates"),
    [(2, True), pytest.param(1, True, marks=ALSO), pytest.param(1, False, marks=ALSO)],
    ids=["accumulated", "single", "unvalidated"],
)
@pytest.mark.parametrize("place", PLACES)
def test_resumes_to_the_bit_from_what_a_survivor_wrote(tmp_path, place, accumulation, validates) -> None:
    settings = {"max_epochs": 3, "ema": True, "accumulation": accumulation}
    if not validates:
        settings["limit_val_batches"] = 0
    at = PLACES[place]
    if at[0].startswith("valid") and not validates:
        return
    whole = train(tmp_path / "whole", **settings)
    rescue = OneOfTwo()
    last_part = 0 if at[0].startswith("valid") else accumulation - 1
    death = DeathAt(rescue, at[0], at[1], at[2] * accumulation + last_part)
    before = train(tmp_path / "run" / "checkpoints", extra=[rescue, death], **settings)
    assert death.said
    after = train(tmp_path / "run" / "checkpoints", resume=True, **settings)
    done = before.module.seen[: len(whole.module.seen) - len(after.module.seen)]
    assert 0 < len(after.module.seen) < len(whole.module.seen)
    assert whole.module.seen == done + after.module.seen
    assert after.equals(whole)
    assert len(before.module.seen) - len(done) <= accumulation, "more than a step was lost"
