"""The LightningDataModule: clips of an index, as batches on the device, in an order that can be resumed."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytorch_lightning as pl
from torch.utils.data import DataLoader

from animate.cores import usable_cores
from animate.data.batches import as_batch
from animate.data.dataset import (
    ClipDataset,
    Item,
    RawBatch,
    Skipped,
    by_subject,
    collate,
    collate_readable,
    quiet_worker,
)
from animate.data.index import printable
from animate.data.loaders import InTurn, Readable, ResumableLoader, as_it_is, worker_context
from animate.data.sampler import (
    BatchPlan,
    EvaluationBatchSampler,
    GlobalBatchSampler,
    Position,
    derive_steps,
)
from animate.data.views import WholeClip
from animate.data.whole_clips import WholeClips
from animate.errors import UserError
from animate.layouts import layout_named

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from animate.data.index import Clip, ClipIndex, Split
    from animate.data.transforms import Augmentation, Draw
    from animate.data.views import View
    from animate.types import Batch

    Loader = DataLoader[Item]

MAX_WORKERS = 8
_NAMED = 5
_log = logging.getLogger(__name__)


class VideoDataModule(pl.LightningDataModule):
    """Train, validation, test and predict batches of the clips of an index.

    The batches that a training step sees depend on ``seed``, the epoch and the number of the step; not on the
    workers, the number of devices, accumulation, or where a run was stopped and resumed. Lightning must not
    put a sampler of its own in the place of ours: ``use_distributed_sampler=False`` in the Trainer.

    A clip that cannot be read when its turn comes is replaced by another draw from the sample's seed in
    training, and left out in evaluation. It stands in ``batch["skipped"]`` and in :attr:`skipped`, and is
    logged once; too many of them stop the run.

    Args:
        index: which clips there are.
        root: where they lie; only for messages.
        image_size: side of the square frames of a batch in pixels, or [height, width]; the aspect of a clip
            is not kept.
        batch_size: samples per optimiser step, over all devices and accumulated micro-batches.
        train_view: what a training sample takes of a clip.
        eval_view: what validation, test and prediction take of a clip; a ``WholeClip`` takes every frame, a
            chunk at a time, and leaves ``eval_batch_size`` without effect.
        augmentation: what may happen to a training sample; nothing without it.
        seed: the seed of the run.
        id_sampling: an epoch shows each *subject* equally often and draws one of the subject's clips; without
            it, each clip.
        repeats: how often an epoch shows each clip, or subject.
        steps_per_epoch: optimiser steps per epoch; without it, as many whole batches as clips times repeats
            fill. With it, an epoch shows a part of the clips, or begins them anew.
        eval_batch_size: clips per device and batch in evaluation.
        num_workers: data workers per device; without it, the cores of a device's share less one for the
            training itself, at least 1 and at most 8. 0 reads in the main process.
        max_skipped_share: the run stops when more than this share of the clips could not be read.

    Raises:
        UserError: the batch does not divide over the devices, an epoch does not fill a batch, there are fewer
            clips to evaluate than devices, or too many clips cannot be read.

    """

    def __init__(
        self,
        index: ClipIndex,
        *,
        image_size: int | Sequence[int],
        batch_size: int,
        train_view: View,
        eval_view: View | WholeClip,
        augmentation: Augmentation | None = None,
        seed: int = 0,
        root: str | Path | None = None,
        id_sampling: bool = False,
        repeats: int = 1,
        steps_per_epoch: int | None = None,
        eval_batch_size: int = 1,
        num_workers: int | None = None,
        max_skipped_share: float = 0.1,
    ) -> None:
        super().__init__()
        height, width = (image_size, image_size) if isinstance(image_size, int) else image_size
        self.size = (height, width)
        positive = {"image_size": min(self.size), "batch_size": batch_size, "repeats": repeats}
        positive |= {"eval_batch_size": eval_batch_size, "steps_per_epoch": steps_per_epoch or 1}
        if wrong := [f"data.{name}={value}" for name, value in positive.items() if value < 1]:
            raise UserError(f"{', '.join(wrong)}: must be at least 1")
        if num_workers is not None and num_workers < 0:
            raise UserError(
                f"data.num_workers={num_workers}: must be at least 0, which reads in this process"
            )
        self.index, self.root = index, root
        self.batch_size, self.eval_batch_size = batch_size, eval_batch_size
        self.train_view, self.eval_view, self.augmentation = train_view, eval_view, augmentation
        layout = getattr(train_view, "layout", "")  # a view that reads points names it
        self._swap: Sequence[int] = layout_named(layout).swap if layout else ()
        self.seed, self.id_sampling, self.repeats = seed, id_sampling, repeats
        self.num_workers, self.max_skipped_share = num_workers, max_skipped_share
        self._given_steps = steps_per_epoch
        self.skipped: dict[str, str] = {}
        """Clips that could not be read so far, by split and name, with the reason."""
        self._problems_told = False
        self._used_clips: dict[Split, int] = {}
        self._sampler: GlobalBatchSampler | None = None
        self._train_loader: ResumableLoader | None = None
        self._resumed: dict[str, int] | None = None

    # -- loaders

    @property
    def subjects(self) -> list[list[Clip]]:
        """The training clips by subject; each clip by itself without ``id_sampling``."""
        clips = self.index.clips("train")
        return by_subject(clips) if self.id_sampling else [[clip] for clip in clips]

    @property
    def steps_per_epoch(self) -> int:
        """Optimiser steps per epoch."""
        if self._given_steps is not None:
            return self._given_steps
        subjects = len(self.subjects)
        what = f"{subjects} {'subjects' if self.id_sampling else 'clips'} x {self.repeats} repeats"
        return derive_steps(subjects * self.repeats, self.batch_size, what)

    def setup(self, stage: str) -> None:  # noqa: ARG002
        """Name every file that the index could not take, once and on one rank."""
        first_rank = self.trainer is None or self.trainer.is_global_zero
        for problem in self.index.problems if first_rank and not self._problems_told else ():
            _log.warning("skipped: %s", printable(problem))
        self._problems_told = True

    def train_dataloader(self) -> Loader:
        """Batches of this rank, from the position of a resumed run or from the start."""
        trainer = self.trainer
        plan = BatchPlan(
            self.batch_size,
            devices=trainer.world_size if trainer else 1,
            accumulation=trainer.accumulate_grad_batches if trainer else 1,
        )
        self._sampler = GlobalBatchSampler(
            len(self.subjects) * self.repeats,
            self.steps_per_epoch,
            plan,
            seed=self.seed,
            rank=trainer.global_rank if trainer else 0,
            same_every_epoch=bool(trainer and trainer.overfit_batches),  # type: ignore[attr-defined]  # set by its data connector
        )
        self._sampler.position = self._start(self._sampler)
        subjects = self.subjects
        self._used_clips["train"] = sum(map(len, subjects))
        dataset = ClipDataset(
            "train",
            subjects,
            self.train_view,
            augmentation=self.augmentation,
            seed=self.seed,
            size=self.size,
        )
        self._train_loader = ResumableLoader(
            dataset, batch_sampler=self._sampler, persistent_workers=self._workers() > 0, **self._settings()
        )
        return self._train_loader

    def on_exception(self, exception: BaseException) -> None:  # noqa: ARG002
        """Stop the training workers: Lightning forgets them when a validation is interrupted.

        Left to the garbage collector, each of them holds up the end of the process for 5 seconds.
        """
        if self._train_loader is not None:
            self._train_loader.stop_workers()

    def val_dataloader(self) -> Readable:
        """Each validation clip once over all ranks."""
        return self._evaluation("val")

    def test_dataloader(self) -> Readable:
        """Each test clip once over all ranks."""
        return self._evaluation("test")

    def predict_dataloader(self) -> Readable:
        """Give the batches of :meth:`test_dataloader`."""
        return self._evaluation("test")

    def _evaluation(self, split: Split) -> Readable:
        clips = self.index.clips(split)
        devices, rank = (self.trainer.world_size, self.trainer.global_rank) if self.trainer else (1, 0)
        if len(clips) < devices:
            raise UserError(
                f"{self._where()}{len(clips)} {split} clips cannot be shared by {devices} devices:"
                f" set trainer.devices={len(clips)} or add clips"
            )
        self._used_clips[split] = len(clips)
        if isinstance(self.eval_view, WholeClip):
            share = list(enumerate(clips))[rank::devices]
            return Readable(self._in_turn(split, share, self.eval_view), self._account)
        batches = EvaluationBatchSampler(len(clips), self.eval_batch_size, rank, devices)
        dataset = ClipDataset(
            split,
            [[clip] for clip in clips],
            self.eval_view,
            augmentation=None,
            seed=self.seed,
            size=self.size,
            attempts=1,
        )
        settings = self._settings() | {"collate_fn": collate_readable}
        return Readable(DataLoader(dataset, batch_sampler=batches, **settings), self._account)

    def _in_turn(self, split: Split, share: Sequence[tuple[int, Clip]], view: WholeClip) -> InTurn:
        """Deal whole clips out to the workers, one loader each, so that each reads its clips in order."""
        count = max(1, min(self._workers(), len(share)))
        datasets = [
            WholeClips(split, share[worker::count], view, seed=self.seed, size=self.size)
            for worker in range(count)
        ]
        settings = self._settings() | {"num_workers": min(1, self._workers()), "collate_fn": as_it_is}
        loaders = [DataLoader(dataset, batch_size=None, **settings) for dataset in datasets]
        return InTurn(loaders, len(share), sum(-(-clip.num_frames // view.frames) for _, clip in share))

    def _settings(self) -> dict[str, Any]:
        """Collect what all loaders have in common."""
        cuda = self.trainer is not None and self.trainer.strategy.root_device.type == "cuda"
        workers = self._workers()
        return {
            "num_workers": workers,
            "collate_fn": collate,
            "pin_memory": cuda,
            "worker_init_fn": quiet_worker,
            "multiprocessing_context": worker_context() if workers else None,
        }

    def _workers(self) -> int:
        if self.num_workers is not None:
            return self.num_workers
        devices = self.trainer.num_devices if self.trainer else 1
        return max(1, min(MAX_WORKERS, usable_cores() // devices - 1))

    # -- on the device

    def on_before_batch_transfer(self, batch: RawBatch, dataloader_idx: int) -> RawBatch:  # noqa: ARG002
        """Account for clips that could not be read."""
        self._account(batch["skipped"])
        if not batch["complete"]:
            raise UserError(f"{self._where()}no readable clip in many draws: {self._named()}")
        return batch

    def on_after_batch_transfer(self, batch: RawBatch, dataloader_idx: int) -> Batch:  # noqa: ARG002
        """Convert to the conventions of ``types.Batch`` and augment, batched on the device."""
        finished = as_batch(batch)
        draws: list[Draw] = [draw for draw in batch["draws"] if draw is not None]
        if draws and self.augmentation is not None:
            self.augmentation.apply(finished, draws, self._swap)
        return finished

    def _account(self, skipped: Iterable[Skipped]) -> None:
        for clip, reason in skipped:
            if clip not in self.skipped:
                self.skipped[clip] = reason
                _log.warning("skipped clip %s: %s", clip, reason)
        total = sum(self._used_clips.values())
        if len(self.skipped) > self.max_skipped_share * total:
            raise UserError(
                f"{self._where()}{len(self.skipped)} of {total} clips cannot be read, more than"
                f" data.max_skipped_share={self.max_skipped_share} allows: {self._named()};"
                " remove or mend them (`animate data check` finds all), or allow a larger share"
            )

    def _named(self) -> str:
        named = [f"{clip} ({reason})" for clip, reason in list(self.skipped.items())[:_NAMED]]
        more = len(self.skipped) - len(named)
        return "; ".join(named) + (f"; and {more} more" if more else "")

    def _where(self) -> str:
        return f"data.root={self.root}: " if self.root is not None else ""

    # -- resume

    def state_dict(self) -> dict[str, Any]:
        """Tell the position of training: the epoch, and the batches of it that every rank has *finished*.

        What workers have read ahead does not count. At the end of an epoch it is the start of the next.
        """
        if self._sampler is None or self.trainer is None:
            return {}
        epoch = self._sampler.position.epoch
        batches = self.trainer.fit_loop.epoch_loop.batch_progress.current.processed  # type: ignore[attr-defined]
        if batches >= self.trainer.num_training_batches:
            epoch, batches = epoch + 1, 0
        return {"epoch": epoch, "batches": batches, "batches_per_epoch": len(self._sampler)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Begin the next ``train_dataloader`` where ``state_dict`` was taken."""
        self._resumed = state_dict

    def _start(self, sampler: GlobalBatchSampler) -> Position:
        state, self._resumed = self._resumed, None
        if state is None:
            return Position(0, 0)
        if state["batches"] and state["batches_per_epoch"] != len(sampler):
            raise UserError(
                f"{self._where()}the checkpoint was saved inside an epoch of {state['batches_per_epoch']}"
                f" batches and an epoch has {len(sampler)} now: keep the clips, data.batch_size and"
                " accumulation as they were, or resume from a checkpoint of an epoch's end"
            )
        return Position(state["epoch"], state["batches"])
