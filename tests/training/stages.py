"""The stages of pose2vid through the code of ``train.py``, one after the other, on one of two ranks of a job.

Each rank writes down what its weights were at the end of every stage.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

from pytorch_lightning import LightningModule, Trainer

JOB = "two"
SMALL = [
    *(
        "data=one_puppet",
        "data.train_view.layout=puppet_person",
        "data.image_size=32",
        "data.index.train_clips=4",
    ),
    *("data.batch_size=4", "data.steps_per_epoch=1", "data.num_workers=0"),
    *("perceptual=random", "model.perceptual.features.width_divisor=32"),
    *("model.networks.width=4", "model.networks.depth=1", "model.networks.blocks=1"),
    *("model.discriminator.width=4", "model.discriminator.layers=2", "model.discriminator.scales=1"),
    *(
        "logger=csv",
        "trainer.max_epochs=2",
        "trainer.limit_val_batches=0",
        "trainer.enable_model_summary=false",
    ),
    *("callbacks.checkpoints.every_n_epochs=1", "callbacks.memory=null", "callbacks.progress=null"),
]
FACE = [
    *("model.networks.face_width=4", "model.networks.face_side=16"),
    *("model.networks.face_depth=1", "model.networks.face_blocks=1"),
]
STAGES = {
    "base": ["experiment=pose2vid", "model.networks.previous=false", "data.train_view.frames=1"],
    "temporal": ["experiment=pose2vid"],
    "local": ["experiment=pose2vid_local", "+model.networks.enhancer_blocks=1"],
    "face": ["experiment=pose2vid_face", *FACE],
    "enhance": ["experiment=pose2vid_enhance", *FACE],
}
"""Two steps each; the last three start from ``temporal``."""


def checkpoint(outputs: Path, stage: str, name: str = "last") -> Path:
    """Where a stage leaves its weights."""
    (run,) = (outputs / stage).iterdir()
    return run / "checkpoints" / f"{name}.ckpt"


def overrides(stage: str, outputs: Path, before: Path) -> list[str]:
    """The command line of a stage, without the trainer."""
    start = [f"init_from={checkpoint(before, 'temporal')}"] if stage in ("local", "face", "enhance") else []
    return [*SMALL, *STAGES[stage], f"experiment_name={stage}", f"paths.outputs={outputs}", *start]


def digests(module: LightningModule) -> dict[str, str]:
    named = module.named_parameters()
    return {name: hashlib.sha256(value.detach().numpy().tobytes()).hexdigest() for name, value in named}


def train_on_this_rank(outputs: Path) -> None:
    from animate.training import main

    ends = []
    fit = Trainer.fit

    def watched(trainer, module, *args, **kwargs):
        before = digests(module)
        fit(trainer, module, *args, **kwargs)
        frozen = [name for name, value in module.named_parameters() if not value.requires_grad]
        ends.append(
            {"before": before, "after": digests(module), "frozen": frozen, "rank": trainer.global_rank}
        )

    Trainer.fit = watched
    for stage in STAGES:
        main(
            [
                *overrides(stage, outputs, outputs),
                "trainer=ddp",
                "trainer.accelerator=cpu",
                "trainer.devices=2",
            ]
        )
    rank = ends[0]["rank"]
    (outputs / f"rank{rank}.json").write_text(json.dumps(dict(zip(STAGES, ends, strict=True))))


if __name__ == "__main__":
    train_on_this_rank(Path(sys.argv[1]))
