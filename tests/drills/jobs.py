"""What the drills interrupt: commands of ours, each with small inputs and a way to begin it again.

Another verb is one more :class:`Job` in ``JOBS``.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
TRAIN = (sys.executable, str(ROOT / "train.py"))
ANIMATE = (sys.executable, "-m", "animate.cli")

#: Averaged weights, a schedule, data workers, a checkpoint every third step, metrics and samples.
TRAINING = (
    "data=videos",
    "perceptual=random",
    "model.perceptual.scales=1",
    "model.discriminator=null",
    "model.loss_weights.generator_gan=0",
    "model.milestones=[1,3]",
    "data.image_size=32",
    "data.batch_size=4",
    "data.steps_per_epoch=16",
    "data.num_workers=2",
    "data.eval_view.frames=4",
    "model.networks.motion_size=32",
    "model.networks.num_keypoints=3",
    "model.networks.generator_blocks=1",
    *(
        f"model.networks.{part}_{kind}={value}"
        for part in ("keypoint", "motion", "generator")
        for kind, value in (("width", 4), ("max_width", 8), ("depth", 2))
    ),
    "trainer=cpu",
    "trainer.max_epochs=5",
    "trainer.log_every_n_steps=1",
    "trainer.enable_model_summary=false",
    "logger=csv",
    "callbacks=ema",
    "callbacks.memory=null",
    "callbacks.checkpoints.every_n_steps=3",
    "callbacks.checkpoints.every_n_epochs=2",
    "experiment_name=drill",
)


@dataclass(frozen=True)
class Job:
    """A command that is killed and begun again.

    Attributes:
        name: by which the command line of the drills asks for it.
        prepare: makes the inputs in a folder, once.
        command: what a user types, first and after every kill, for a folder of inputs and one of results.
        results: finds what the last run has made in its folder.
        keeps: where it keeps what is done, on purpose, when it cannot go on.

    """

    name: str
    prepare: Callable[[Path], object]
    command: Callable[[Path, Path], list[str]]
    results: Callable[[Path], Path] = Path
    keeps: str = ""


def puppets(frames: int, clips: int) -> Callable[[Path], object]:
    """Drawn clips as files."""

    def make(inputs: Path) -> None:
        numbers = (("--clips", clips), ("--test-clips", 2), ("--frames", frames), ("--size", 64))
        options = [str(word) for pair in numbers for word in pair]
        _run(*ANIMATE, "data", "puppets", "--output", str(inputs / "data"), *options)

    return make


def a_model_and_a_video(inputs: Path) -> None:
    """A tiny model with random weights, a clip that moves a picture, and the picture."""
    import numpy as np
    import torch

    sys.path.append(str(ROOT / "tests"))
    from animate import checkpoints
    from animate.video.encode import VideoWriter
    from animate.video.image import write_image
    from small import networks

    torch.manual_seed(3)
    model = networks(num_keypoints=5)
    state = {f"networks.{key}": value for key, value in model.state_dict().items()}
    checkpoints.save(
        inputs / "model.ckpt", {"state_dict": state}, checkpoints.describe("fomm", model.arguments)
    )
    noise = np.random.default_rng(0).integers(0, 255, (64, 400, 3), dtype=np.uint8)
    with VideoWriter(inputs / "clip.mp4", 25) as writer:
        for left in range(300):
            writer.write(np.ascontiguousarray(noise[:, left : left + 64]))
    write_image(inputs / "photo.png", np.ascontiguousarray(noise[:, :64]))


def _train(inputs: Path, results: Path) -> list[str]:
    """``resume=last`` as soon as there is something to go on from."""
    options = [*TRAINING, f"data.root={inputs / 'data'}", f"paths.outputs={results}"]
    began = any(results.glob("drill/*/checkpoints/last.ckpt"))
    return [*TRAIN, *options, *(["resume=last"] if began else [])]


def _newest_run(results: Path) -> Path:
    """A training that was killed before its first checkpoint has left another folder, older than this."""
    return max(results.glob("drill/*"))


def _drive(inputs: Path, results: Path, *options: str) -> list[str]:
    files = ("--checkpoint", "model.ckpt"), ("--source", "photo.png"), ("--driving", "clip.mp4")
    named = [word for option, name in files for word in (option, str(inputs / name))]
    output = results / "out.mp4"
    # --grid: what random weights draw is by itself too small a file to fill a disk.
    again = ["--overwrite"] if output.exists() else []
    settings = ["--batch-size", "4", "--grid", *again, *options]
    return [*ANIMATE, "drive", *named, "--output", str(output), *settings]


def _drive_on(inputs: Path, results: Path) -> list[str]:
    """Keep what is done, and go on with it."""
    return _drive(inputs, results, "--resume")


def _annotate(inputs: Path, results: Path) -> list[str]:
    options = ["--backend", "puppet", "--workers", "2", "--output", str(results)]
    return [*ANIMATE, "annotate", "landmarks", str(inputs / "data"), *options]


def _prepare(inputs: Path, results: Path) -> list[str]:
    options = ["--size", "32", "--part-frames", "64", "--workers", "2"]
    return [*ANIMATE, "data", "prepare", str(inputs / "data"), str(results / "store"), *options]


def _pose_set(inputs: Path, results: Path) -> list[str]:
    clip = next((inputs / "data" / "train").glob("*person*.mp4"))
    options = ["--pose-backend", "puppet_person", "--size", "64", "--output", str(results / "set")]
    return [*ANIMATE, "pose2vid", "prepare", "--video", str(clip), *options]


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert not done.returncode, f"{' '.join(command)}\n{done.stdout}{done.stderr}"


JOBS = (
    Job("training", puppets(frames=12, clips=6), _train, _newest_run),
    Job("drive", a_model_and_a_video, _drive),
    Job("drive-resume", a_model_and_a_video, _drive_on, keeps="out.mp4.partial/.lock"),
    Job("annotate", puppets(frames=40, clips=10), _annotate),
    Job("prepare", puppets(frames=120, clips=12), _prepare),
    Job("pose2vid-prepare", puppets(frames=200, clips=8), _pose_set, keeps=".set.preparing"),
)
