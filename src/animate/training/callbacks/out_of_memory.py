"""Says which batch size to try when a device has run out of memory."""

from __future__ import annotations

from traceback import clear_frames
from typing import TYPE_CHECKING, Self

import torch
from pytorch_lightning import Callback
from typing_extensions import override

from animate.data.sampler import BatchPlan
from animate.data.views import WholeClip
from animate.errors import UserError, ran_out_of_memory
from animate.training.callbacks.memory import Memory
from animate.training.memory import memory_of, readable

if TYPE_CHECKING:
    from types import TracebackType

    from pytorch_lightning import LightningModule, Trainer

    from animate.data.module import VideoDataModule
    from animate.training.memory import Estimate

_SMALLER = "a smaller data.image_size, trainer.precision=bf16-mixed, or model.recompute of pose2vid"
_OF_A_WORKER = "Caught "
"""How the message of an error begins that a data worker has sent."""


class OutOfMemory(Callback):
    """Turns the error of an allocator into one line with the setting that helps.

    Used as a context around ``trainer.fit`` or ``trainer.test``. In training it is the largest share of the
    batch that fits by the estimate of :class:`Memory`, or half of it where there is none; the same samples
    then make up a step, so that only statistics of batch norm differ.

    Raises:
        UserError: in the place of the allocator's error.

    """

    def __init__(self) -> None:
        self._advice = ""

    @override
    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Find the advice while the trainer still knows what it was doing."""
        if not ran_out_of_memory(exception):
            return
        if str(exception).startswith(_OF_A_WORKER):
            self._advice = "a data worker ran out of memory; use fewer of them with data.num_workers"
            return
        where = f"out of memory on {pl_module.device}"
        self._advice = f"{where} in {_in_training(trainer) if trainer.training else _in_evaluation(trainer)}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None and self._advice:
            clear_frames(trace)  # which hold the tensors that were too many: a sweep goes on
            raise UserError(self._advice) from None


def _in_training(trainer: Trainer) -> str:
    data: VideoDataModule = trainer.datamodule  # type: ignore[attr-defined]  # set by its data connector
    plan = BatchPlan(data.batch_size, trainer.world_size, trainer.accumulate_grad_batches)
    found = next((one.found for one in trainer.callbacks if isinstance(one, Memory)), None)  # type: ignore[attr-defined]
    room = _room(trainer.strategy.root_device)
    told = f"a training step with {_counted(plan.micro_batch, 'sample')} at a time"
    if found is not None and room is not None:
        told += f", estimated at {readable(found.total)} of {readable(room)}"
    smaller = fitting(plan.micro_batch, found, room)
    if not smaller:
        return f"{told}; try {_SMALLER}"
    accumulation = data.batch_size // trainer.world_size // smaller
    batch = smaller * trainer.world_size * plan.accumulation
    settings = f"trainer.accumulate_grad_batches={accumulation} or data.batch_size={batch}"
    return f"{told}; try {settings}, or {_SMALLER}"


def fitting(batch: int, found: Estimate | None, room: int | None) -> int:
    """Choose how many samples to take at a time instead: the most that divide the batch and will fit.

    Args:
        batch: samples at a time, which did not fit.
        found: what a step of them takes; without it half of them are taken to fit.
        room: bytes that the device has; None where that is not known.

    Returns:
        A divisor of ``batch`` below it, 1 at least; 0 where one sample was too many.

    """
    smaller = [count for count in range(batch - 1, 0, -1) if batch % count == 0]
    if found is None or room is None:
        return next((count for count in smaller if count <= batch // 2), 0)
    grows = (found.kept + found.passing) / batch
    stays = found.total - grows * batch
    return next((count for count in smaller if stays + grows * count <= room), smaller[-1] if smaller else 0)


def _room(device: torch.device) -> int | None:
    """Tell how many bytes a GPU has for this process, or this machine has."""
    if device.type != "cuda":
        return memory_of(device)
    free, _ = torch.cuda.mem_get_info(device)
    return free + torch.cuda.memory_reserved(device)


def _in_evaluation(trainer: Trainer) -> str:
    data: VideoDataModule = trainer.datamodule  # type: ignore[attr-defined]  # as above
    setting, count, what = "data.eval_batch_size", data.eval_batch_size, "clip"
    if isinstance(data.eval_view, WholeClip):
        setting, count, what = "chunk", data.eval_view.frames, "frame"
    told = f"an evaluation of {_counted(count, what)} at a time"
    return f"{told}; try {setting}={count // 2}" if count > 1 else f"{told}; try {_SMALLER}"


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
