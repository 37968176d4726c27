"""A FOMM of a few thousand weights on two small GIFs, and what its runs leave."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from animate.training import main

ROOT = Path(__file__).parents[2]
#: Three steps an epoch.
TINY = [
    "data=videos",
    "perceptual=random",
    "model.perceptual.scales=1",
    "model.discriminator=null",
    "model.loss_weights.generator_gan=0",
    "data.image_size=32",
    "data.batch_size=2",
    "data.steps_per_epoch=3",
    "data.num_workers=0",
    "data.eval_view.frames=3",
    "model.networks.motion_size=32",
    "model.networks.num_keypoints=3",
    "model.networks.generator_blocks=1",
    *(
        f"model.networks.{part}_{kind}={value}"
        for part in ("keypoint", "motion", "generator")
        for kind, value in (("width", 4), ("max_width", 8), ("depth", 2))
    ),
    "trainer=cpu",
    "trainer.max_epochs=1",
    "trainer.log_every_n_steps=1",
    "trainer.enable_model_summary=false",
    "logger=csv",
    "callbacks.memory=null",  # takes a second in each new process
]


def refused(capfd, *overrides: str, run=main) -> str:
    """The one line on stderr of a command that the user has to mend."""
    with pytest.raises(SystemExit) as stopped:
        run(list(overrides))
    assert stopped.value.code == 2
    lines = [line for line in capfd.readouterr().err.splitlines() if line.strip()]
    assert len(lines) == 1, lines
    assert lines[0].startswith("animate: error: ")
    assert not list(Path().glob("outputs/*")), "something was left behind"
    return lines[0]


def runs() -> list[Path]:
    return sorted(Path("outputs").glob("*/*"))


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open() as file:
        return list(csv.DictReader(file))
