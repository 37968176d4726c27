"""The estimate of a step's memory against sums by hand, and against the allocator in a real step."""

from __future__ import annotations

import re
from contextlib import nullcontext
from functools import partial

import pytest
import torch
from pytorch_lightning import LightningModule
from torch import nn
from torch.profiler import ProfilerActivity, profile, record_function

from animate.losses.perceptual import PerceptualLoss
from animate.modules.fomm import FOMM
from animate.modules.pose2vid import Pose2Vid
from animate.modules.pose2vid_face import Pose2VidFace
from animate.networks.fomm import Discriminator
from animate.networks.pix2pixhd import MultiscaleDiscriminator, Pix2PixHD
from animate.networks.vgg import vgg19_random
from animate.training import main
from animate.training.memory import estimate
from cli import TINY, runs
from small import networks

BF16 = partial(torch.autocast, "cpu", torch.bfloat16)
SIDE = 64


class Convolutions(LightningModule):
    """Two convolutions without bias; the smooth step between them keeps its input, each convolution too."""

    def __init__(self, freeze_first: bool = False) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, padding=1, bias=False).requires_grad_(not freeze_first)
        self.second = nn.Conv2d(8, 5, 3, padding=1, bias=False)

    def training_step(self, batch, batch_idx):  # noqa: ARG002
        pictures = batch["frames"][:, 0]
        self.log("shape", float(len(pictures)))
        return self.second(torch.nn.functional.gelu(self.first(pictures))).sum()


def batch(size: int = 2, joints: int = 18) -> dict:
    generator = torch.Generator().manual_seed(0)
    return {
        "frames": torch.rand(size, 2, 3, SIDE, SIDE, generator=generator),
        "frame_index": torch.arange(2).expand(size, -1),
        "clip": [f"clip {index}" for index in range(size)],
        "seed": list(range(size)),
        "points": torch.rand(size, 2, joints, 2, generator=generator) * 1.6 - 0.8,
        "visible": torch.ones(size, 2, joints, dtype=torch.bool),
    }


@pytest.mark.parametrize("freeze_first", [False, True])
def test_a_small_network_is_as_summed_by_hand(freeze_first) -> None:
    data = batch(size=3)
    given = sum(
        value.untyped_storage().nbytes() for value in data.values() if isinstance(value, torch.Tensor)
    )
    found = estimate(Convolutions(freeze_first), data, nullcontext)
    first, second, one = (
        3 * 8 * 9 * 4,
        8 * 5 * 9 * 4,
        3 * SIDE * SIDE * 4,
    )  # bytes; one channel of all pictures
    assert found.weights == first + second + given
    assert found.gradients == second + (0 if freeze_first else first)
    assert found.adam == 2 * found.gradients
    # The second convolution keeps its input, gelu its own where the first learns; and there is the sum.
    assert found.kept == (8 if freeze_first else 16) * one + 4
    assert found.total == found.weights + 3 * found.gradients + found.kept + found.passing


def test_module_batch_and_random_numbers_stay_as_they_were() -> None:
    module, data = Convolutions(), batch()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    estimate(module, data, nullcontext)
    assert torch.equal(torch.rand(3), expected)
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert all(
        type(parameter.data) is torch.Tensor and parameter.grad is None for parameter in module.parameters()
    )
    assert torch.equal(data["frames"], batch()["frames"])


def people(**arguments) -> Pix2PixHD:
    slim = {"skeleton": "puppet_person", "width": 16, "depth": 2, "blocks": 2}
    return Pix2PixHD(**(slim | {"face_width": 16, "face_depth": 1, "face_side": 32} | arguments))


def judge(**arguments) -> MultiscaleDiscriminator:
    return MultiscaleDiscriminator(**({"width": 16, "layers": 2} | arguments))


def perceptual() -> PerceptualLoss:
    return PerceptualLoss(vgg19_random(0, 16), scales=1)


METHODS = {
    "fomm": lambda: FOMM(networks(), Discriminator(3, 4, 8, 2), perceptual()),
    "pose2vid": lambda: Pose2Vid(people(previous=True), judge(frames=2), perceptual()),
    "recompute": lambda: Pose2Vid(people(previous=True), judge(frames=2), perceptual(), recompute=True),
    "local": lambda: Pose2Vid(
        people(previous=True, enhancers=1), judge(frames=2), perceptual(), freeze=["networks.generator.trunk"]
    ),
    "face": lambda: Pose2VidFace(people(face=True), judge(norm="spectral"), perceptual()),
}


def measured(module: LightningModule, context) -> tuple[int, int]:
    """Let the allocator tell what a step keeps for its backward pass, and its peak."""
    data = batch()
    module.log = module.log_dict = lambda *_, **__: None
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        with context():
            loss = module.training_step(data, 0)
        with record_function("between"):
            pass
        loss.backward()
    events = profiler.profiler.kineto_results.events()
    (between,) = (event.start_ns() for event in events if event.name() == "between")
    changes = sorted((event.start_ns(), event.nbytes()) for event in events if event.name() == "[memory]")
    kept = sum(size for at, size in changes if at < between)
    live = torch.tensor([size for _, size in changes]).cumsum(0)
    return kept, int(live.max())


CASES = [
    ("fomm", nullcontext),
    ("fomm", BF16),
    ("pose2vid", nullcontext),
    ("recompute", BF16),
    ("local", nullcontext),
    ("face", BF16),
]


@pytest.mark.parametrize(
    ("method", "context"), CASES, ids=[f"{m}-{number}" for number, (m, _) in enumerate(CASES)]
)
def test_a_real_step_takes_what_was_estimated(method, context) -> None:
    torch.manual_seed(0)
    found = estimate(METHODS[method](), batch(), context)
    kept, peak = measured(METHODS[method](), context)
    assert found.kept == pytest.approx(kept, rel=2e-3)
    # oneDNN's own buffers are not foreseen.
    assert 0.85 * peak < found.kept + found.passing < 1.01 * peak


class Dense(LightningModule):
    """Has far more weights than activations."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3 * SIDE * SIDE, 64)

    def training_step(self, batch, batch_idx):  # noqa: ARG002
        return self.layer(batch["frames"][:, 0].flatten(1)).sum()


def test_gradients_that_accumulate_lie_beside_those_that_are_added() -> None:
    once, again = (estimate(Dense(), batch(), nullcontext, accumulates=many) for many in (False, True))
    assert again.total - once.total == pytest.approx(once.gradients, rel=0.01)


@pytest.mark.usefixtures("workplace")
def test_a_run_tells_it_once_and_is_the_same_with_and_without(capfd) -> None:
    short = [*TINY, "trainer.limit_val_batches=0", "trainer.max_steps=1", "callbacks=ema"]
    without = [*short, "experiment_name=without"]
    main(without)
    assert "a training step will take" not in capfd.readouterr().out
    estimated = [entry for entry in short if not entry.startswith("callbacks.memory")]
    main([*estimated, "experiment_name=with"])
    # The progress bar ends its lines with a carriage return, where splitlines begins a new one.
    (line,) = [line for line in capfd.readouterr().out.splitlines() if "a training step will take" in line]
    assert "Epoch 0" not in line, "the progress bar shares its line"
    size = r"[\d.]+ [MG]iB"
    assert re.search(rf"about {size} \(weights {size}, .*copies {size}\), estimated in", line)
    first, second = (torch.load(run / "checkpoints/last.ckpt", weights_only=True) for run in runs())
    assert all(torch.equal(value, second["state_dict"][key]) for key, value in first["state_dict"].items())
    assert torch.equal(
        first["optimizer_states"][0]["state"][0]["exp_avg"],
        second["optimizer_states"][0]["state"][0]["exp_avg"],
    )
