"""The way in for other programs."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import count, islice

import numpy as np
import pytest
import torch

from animate.checkpoints.description import describe
from animate.checkpoints.save import save
from animate.errors import UserError
from animate.networks.inpainting import BackgroundInpainter
from animate.pipelines import Animator
from animate.pipelines.drive import drive
from animate.pipelines.onnx.description import MARKER


def saved(path, method, networks):
    state = {f"networks.{key}": value for key, value in networks.state_dict().items()}
    save(path, {"state_dict": state}, describe(method, networks.arguments))
    return path


@pytest.fixture
def animator(networks, tmp_path):
    return Animator.load(saved(tmp_path / "model.ckpt", "fomm", networks), "cpu")


def test_a_loaded_model_drives_like_the_networks_it_was_made_of(animator, networks, frames):
    made = list(animator.drive(frames[7], frames, batch_size=3))
    np.testing.assert_array_equal(made, list(drive(networks, frames[7], frames, batch_size=3)))
    assert made[0].shape == (animator.size, animator.size, 3)
    assert not animator.networks.training


def test_an_endless_stream_is_read_as_far_as_results_are_asked_for(animator, frames):
    read = []
    endless = (read.append(number) or frames[number % len(frames)] for number in count())
    assert len(list(islice(animator.drive(frames[0], endless, batch_size=1), 5))) == 5
    assert read == list(range(5))


def test_several_threads_get_what_one_would(animator, frames):
    """Each call keeps its first frame and its source to itself, so mixing them up would show."""
    jobs = [(frames[number], frames[number % 3 :]) for number in range(6)]
    alone = [list(animator.drive(*job)) for job in jobs]
    with ThreadPoolExecutor(len(jobs)) as threads:
        together = list(threads.map(lambda job: list(animator.drive(*job)), jobs))
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one, other)
    assert not np.array_equal(alone[0][0], alone[1][0])


def test_another_method_and_another_device_are_refused(tmp_path):
    path = saved(tmp_path / "bg.ckpt", "inpainting", BackgroundInpainter("impersonator", (4, 8), 1, 32))
    with pytest.raises(UserError, match="method inpainting"):
        Animator.load(path, "cpu")
    with pytest.raises(UserError, match="no such device"):
        Animator.load(path, "tpu")


WRONG = {
    "floats": (lambda picture: picture / 255, r"got \(64, 64, 3\) float64; give RGB from 0 to 255"),
    "grey": (lambda picture: picture[..., 0], r"got \(64, 64\) uint8"),
    "transparent": (lambda picture: np.dstack([picture, picture[..., :1]]), r"got \(64, 64, 4\) uint8"),
    "tensor": (torch.from_numpy, r"got \(64, 64, 3\) torch.uint8"),
    "text": (lambda _: "photo.png", r"got \(\) str"),
    "empty": (lambda picture: picture[:0], r"got \(0, 64, 3\) uint8"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_no_picture_is_refused(animator, name):
    picture = np.full((64, 64, 3), 90, np.uint8)
    spoil, told = WRONG[name]
    told = r"\(H, W, 3\) uint8 expected, " + told
    with pytest.raises(UserError, match=f"source: {told}"):
        animator.drive(spoil(picture), [picture])
    with pytest.raises(UserError, match=f"initial: {told}"):
        animator.drive(picture, [picture], initial=spoil(picture))
    made = animator.drive(picture, [picture, picture, spoil(picture)], batch_size=1)
    assert len(list(islice(made, 2))) == 2
    with pytest.raises(UserError, match=f"driving picture 2: {told}"):
        next(made)


def test_a_runtime_that_is_none_and_one_that_is_missing(networks, tmp_path):
    path = saved(tmp_path / "model.ckpt", "fomm", networks)
    with pytest.raises(
        UserError, match="runtime='x': there is none of this name; known are: torch, onnxruntime"
    ):
        Animator.load(path, "cpu", runtime="x")
    (tmp_path / "exported").mkdir()
    (tmp_path / "exported" / MARKER).touch()
    with pytest.raises(UserError, match='load it with runtime="onnxruntime"'):
        Animator.load(tmp_path / "exported", "cpu")


def test_a_program_that_animates_loads_no_trainer():
    unwanted = "{'pytorch_lightning', 'hydra', 'wandb'}"
    check = f"import sys, animate.pipelines; print(sorted({unwanted} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
