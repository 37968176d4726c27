"""Trains and evaluates on two CPU processes that Lightning starts; each rank writes down what it saw."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from fake_clips import FakeIndex
from pytorch_lightning import Trainer
from test_module import Recorder, data
from torch import nn


class Buffered(Recorder):
    """With buffers, over which ranks meet in every forward pass, also in evaluation."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(1)
        self.norm.requires_grad_(False)


class TornValidation(FakeIndex):
    """Of five validation clips the third cannot be read: the second rank's first batch has none."""

    def clips(self, split):
        whole = super().clips(split)
        return FakeIndex(5, broken=[2]).clips("train") if split == "val" else whole


def two_processes(epochs: int = 1) -> Trainer:
    return Trainer(
        accelerator="cpu",
        devices=2,
        strategy="ddp",
        max_epochs=epochs,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        use_distributed_sampler=False,
        num_sanity_val_steps=0,
    )


def main(folder: Path) -> None:
    trainer, module, torn = two_processes(), Buffered(), Buffered()
    trainer.fit(module, datamodule=data(FakeIndex(val=5), augmentation=None))
    torn_data = data(TornValidation(), augmentation=None, max_skipped_share=1.0)
    two_processes(epochs=2).fit(torn, datamodule=torn_data)  # training goes on after an uneven validation
    seen = {
        "trained": [seeds for _, _, seeds, _ in module.seen],
        "evaluated": module.evaluated,
        "readable": torn.evaluated,
    }
    (folder / f"rank{trainer.global_rank}.json").write_text(json.dumps(seen))
    try:
        trainer.validate(module, datamodule=data(FakeIndex(val=1)), verbose=False)
    except Exception as error:
        (folder / f"error{trainer.global_rank}.txt").write_text(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
