"""A training on two CPU processes that Lightning starts; each rank writes down what it saw and ended with."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import torch
from harness import Diary, Run, train
from toy import ToyData, ToyModule

from animate.losses.perceptual import PerceptualLoss
from animate.modules.fomm import FOMM, LossWeights
from animate.networks.fomm import Discriminator
from animate.networks.vgg import vgg19_random
from small import networks

CASES = ("no_gan", "frozen", "all")


def fomm(case: str) -> FOMM:
    torch.manual_seed(0)
    gan = 0.0 if case == "no_gan" else 1.0
    return FOMM(
        networks(),
        None if case == "no_gan" else Discriminator(num_keypoints=3, width=4, max_width=8, depth=2),
        PerceptualLoss(vgg19_random(width_divisor=16), scales=1),
        LossWeights(generator_gan=gan),
        freeze=["networks.keypoint_detector"] if case == "frozen" else [],
    )


def toy_run(folder: Path, devices: int, accumulation: int) -> Run:
    """Three epochs of five steps on global batches of four, without batch statistics."""
    torch.manual_seed(0)
    return train(
        folder,
        module=ToyModule(batch_norm=False),
        data=ToyData(batch_size=4),
        accumulation=accumulation,
        max_epochs=3,
        devices=devices,
        strategy="ddp" if devices > 1 else "auto",
    )


def fomm_run(folder: Path, case: str) -> Run:
    data = ToyData(batch_size=4, steps=3, size=32)
    return train(folder, module=fomm(case), data=data, max_epochs=1, devices=2, strategy="ddp")


def digests(run: Run) -> dict[str, str]:
    state = run.module.state_dict()
    return {key: hashlib.sha256(value.numpy().tobytes()).hexdigest() for key, value in state.items()}


def record(run: Run, folder: Path, case: str) -> None:
    diary: Diary = run.diary
    found = {
        "digests": digests(run),
        "steps": diary.steps,
        "seen": getattr(run.module, "seen", []),
        "parameters": [name for name, _ in run.module.named_parameters()],
    }
    (folder / f"{case}_rank{run.module.global_rank}.json").write_text(json.dumps(found))


if __name__ == "__main__":
    into = Path(sys.argv[1])
    record(toy_run(into / "toy", devices=2, accumulation=1), into, "toy")
    for name in CASES:
        record(fomm_run(into / name, name), into, name)
    torch.distributed.barrier()  # the test waits for the first rank only
