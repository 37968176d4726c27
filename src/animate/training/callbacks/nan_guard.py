"""Stops a run whose loss is no longer a number, and says which part of it, and on which clips."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import torch
import torch.distributed as dist
from pytorch_lightning import Callback
from typing_extensions import override

from animate.errors import UserError
from animate.training.callbacks.checkpoints import Checkpoints
from animate.training.folders import LAST
from animate.training.ranks import ending

if TYPE_CHECKING:
    from pathlib import Path

    from pytorch_lightning import LightningModule, Trainer
    from torch import Tensor

_WHAT_TO_DO = "look at them, lower the learning rate, or use trainer.precision=32-true"
_NAMED = 3


class _Seen(NamedTuple):
    """A step, in tensors that nobody has waited for."""

    step: int
    loss: Tensor
    terms: dict[str, Tensor]
    clips: list[str]
    frames: Tensor | None

    def batch(self, paths: dict[str, Path]) -> list[str]:
        """Name the clips, by their files where those are known, with the numbers of their frames."""
        named = [str(paths.get(clip, clip)) for clip in self.clips]
        if self.frames is None:
            return named
        rows = self.frames.tolist()
        return [f"{clip} (frames {', '.join(map(str, row))})" for clip, row in zip(named, rows, strict=True)]

    def broken(self) -> list[str]:
        """Name the losses that are no numbers, or infinite."""
        values = {name: float(value) for name, value in ({"loss": self.loss} | self.terms).items()}
        found = [f"{name} {value}" for name, value in values.items() if not abs(value) < float("inf")]
        return found[1:] if len(found) > 1 else found  # the sum says least


class NanGuard(Callback):
    """Raises when the loss of a batch is NaN or infinite, or weights are that are about to be saved.

    So a checkpoint never holds such weights, and the one before stays. On a GPU the value is read one step
    late, when the device has long computed it, so that nothing waits for it.

    Raises:
        UserError: names the step, the losses, the clips of the batch with their frames, and the checkpoint.

    """

    def __init__(self) -> None:
        self._last: _Seen | None = None
        self._looked = True

    @override
    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Look at the loss of the batch before and keep this one's."""
        self._look(trainer)
        loss: Tensor = outputs["loss"] if isinstance(outputs, dict) else outputs
        terms = {
            name: value
            for name, value in trainer.callback_metrics.items()
            if name.startswith("train/") and name != "train/loss"
        }
        self._last = _Seen(
            trainer.global_step, loss.detach(), terms, list(batch["clip"]), batch.get("frame_index")
        )
        self._looked = False
        if loss.device.type == "cpu":
            self._look(trainer)

    @override
    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Look at the last batch before anything is saved."""
        self._look(trainer)

    @override
    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._look(trainer)

    @override
    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Look at the loss and at the weights: a gradient may have overflowed where the loss had not."""
        self._look(trainer)
        finite = {name: weight.isfinite().all() for name, weight in pl_module.named_parameters()}
        bad = bool(finite) and not bool(torch.stack(list(finite.values())).all())
        if _anywhere(bad, trainer):
            names = [name for name, value in finite.items() if not value]
            more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
            self._stop(trainer, f"weights are not finite ({', '.join(names[:_NAMED])}{more})", bad)

    def _look(self, trainer: Trainer) -> None:
        if self._looked or self._last is None:
            return
        self._looked = True
        bad = not bool(self._last.loss.isfinite().all())
        if _anywhere(bad, trainer):
            what = ", ".join(self._last.broken()) if bad else "on another device"
            self._stop(trainer, f"the loss is not finite ({what})", bad)

    def _stop(self, trainer: Trainer, what: str, bad: bool) -> None:
        """Raise, and name the clips of all ranks on which it is so."""
        step = trainer.global_step if self._last is None else self._last.step
        mine = self._last.batch(_paths(trainer)) if bad and self._last is not None else []
        clips = ", ".join(_gathered(mine, trainer))
        raise UserError(f"at step {step} {what}; the batch: {clips}; {_WHAT_TO_DO}{_before(trainer)}")


def _paths(trainer: Trainer) -> dict[str, Path]:
    """Find the files of the training clips; a drawn clip has none."""
    index = getattr(getattr(trainer, "datamodule", None), "index", None)
    clips = index.clips("train") if index is not None else ()
    return {clip.name: clip.path for clip in clips if clip.path.exists()}


def _before(trainer: Trainer) -> str:
    """Name the checkpoint from which one can go on."""
    kept = [one.folder / LAST.name for one in trainer.checkpoint_callbacks if isinstance(one, Checkpoints)]
    return "".join(f"; {path} is from before" for path in kept if path.is_file())


def _anywhere(bad: bool, trainer: Trainer) -> bool:
    """Whether it is so on any rank; when one has died, nobody can be asked any more."""
    return bad if ending.begun else bool(trainer.strategy.reduce_boolean_decision(bad, all=False))


def _gathered(clips: list[str], trainer: Trainer) -> list[str]:
    if trainer.world_size == 1 or ending.begun:
        return clips
    everywhere: list[list[str]] = [[] for _ in range(trainer.world_size)]
    dist.all_gather_object(everywhere, clips)
    return [name for names in everywhere for name in names]
