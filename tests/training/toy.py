"""A module and a data module in a few lines, with every property that resuming has to keep."""
# ruff: noqa: ARG002  Lightning's hooks have the arguments that they have

from __future__ import annotations

import torch
from pytorch_lightning import LightningDataModule, LightningModule
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from animate.data.dataset import quiet_worker
from animate.data.loaders import worker_context
from animate.data.sampler import BatchPlan, GlobalBatchSampler, Position


class ToyDataset(Dataset):
    """Sample i of epoch e is a picture drawn from the generator (e, i)."""

    def __init__(self, size: int) -> None:
        self.size = size

    def __getitem__(self, key) -> dict:
        if not isinstance(key, tuple):
            key = (-1, int(key))
        epoch, number = key
        generator = torch.Generator().manual_seed(1000 * (epoch + 1) + number)
        frames = torch.rand(2, 3, self.size, self.size, generator=generator)
        names = {"clip": f"clip{epoch}_{number}", "seed": 1000 * (epoch + 1) + number}
        return {"frames": frames, "frame_index": torch.arange(2), **names}


def collate(items: list[dict]) -> dict:
    names = {key: [item[key] for item in items] for key in ("clip", "seed")}
    tensors = {key: torch.stack([item[key] for item in items]) for key in ("frames", "frame_index")}
    return tensors | names


class ToyEval(ToyDataset):
    def __len__(self) -> int:
        return 3


class ToyData(LightningDataModule):
    def __init__(self, batch_size: int = 4, steps: int = 5, num_workers: int = 0, size: int = 8) -> None:
        super().__init__()
        self.batch_size, self.steps, self.num_workers = batch_size, steps, num_workers
        self.size = size
        self.position = Position(0, 0)

    def train_dataloader(self) -> DataLoader:
        plan = BatchPlan(self.batch_size, self.trainer.world_size, self.trainer.accumulate_grad_batches)
        items = self.batch_size * self.steps
        sampler = GlobalBatchSampler(
            items, self.steps, plan, seed=0, rank=self.trainer.global_rank, position=self.position
        )
        return DataLoader(
            ToyDataset(self.size),
            batch_sampler=sampler,
            num_workers=self.num_workers,
            collate_fn=collate,
            worker_init_fn=quiet_worker,
            multiprocessing_context=worker_context() if self.num_workers else None,
        )

    def val_dataloader(self) -> DataLoader:
        return DataLoader(ToyEval(self.size), batch_size=1, collate_fn=collate)

    test_dataloader = val_dataloader

    def state_dict(self) -> dict:
        batches = self.trainer.fit_loop.epoch_loop.batch_progress.current.processed
        epoch = self.trainer.current_epoch
        if batches >= self.trainer.num_training_batches:
            epoch, batches = epoch + 1, 0
        return {"epoch": epoch, "batches": batches}

    def load_state_dict(self, state: dict) -> None:
        self.position = Position(state["epoch"], state["batches"])


class ToyModule(LightningModule):
    """Predicts the driving frame by one convolution; with a schedule in epochs, momentum, batch norm."""

    def __init__(self, lr: float = 0.1, milestones: tuple[int, ...] = (2,), batch_norm: bool = True) -> None:
        super().__init__()
        self.networks = nn.Sequential(
            nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3) if batch_norm else nn.Identity()
        )
        self.lr, self.milestones = lr, milestones
        self.seen: list[tuple[int, int, tuple[str, ...], float]] = []

    def training_step(self, batch: dict, batch_idx: int) -> Tensor:
        source, driving = batch["frames"].unbind(1)
        loss = (self.networks(source) - driving).abs().mean()
        self.log("loss", loss.detach(), batch_size=len(source))
        self.seen.append((self.current_epoch, self.global_step, tuple(batch["clip"]), float(loss.detach())))
        return loss

    def validation_step(self, batch: dict, batch_idx: int) -> dict:
        source, driving = batch["frames"].unbind(1)
        prediction = self.networks(source).clamp(0, 1)
        pictures = {"prediction": prediction, "target": driving, "source": source}
        return {**pictures, "clip": batch["clip"], "frame": batch["frame_index"][:, 1].tolist()}

    test_step = validation_step

    def configure_optimizers(self) -> dict:
        optimizer = torch.optim.Adam(self.parameters(), lr=self.lr, betas=(0.5, 0.999))
        return {
            "optimizer": optimizer,
            "lr_scheduler": torch.optim.lr_scheduler.MultiStepLR(optimizer, self.milestones),
        }
