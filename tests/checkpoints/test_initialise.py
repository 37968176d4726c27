"""Warm starts: what is taken, what is not, and that it is told."""

from __future__ import annotations

import pytest
import torch

from animate import checkpoints
from animate.networks.pix2pixhd import Pix2PixHD


def same(first, second) -> bool:
    pairs = zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def test_networks_and_discriminator_are_taken(tmp_path, module):
    trained, fresh = module({"spectral_norm": True}), module({"spectral_norm": True})
    path = trained.save(tmp_path / "a.ckpt")
    report = checkpoints.initialise(fresh, path)
    assert same(trained, fresh)
    assert fresh.training
    counts = [len(part.state_dict()) for part in (trained.networks, trained.discriminator)]
    assert f"networks, {counts[0]} tensors; discriminator, {counts[1]} tensors" in report
    assert str(path) in report


def test_another_image_size_is_a_warm_start(tmp_path, module):
    trained, larger = module(), module(image_size=64)
    report = checkpoints.initialise(larger, trained.save(tmp_path / "a.ckpt"))
    assert same(trained.networks, larger.networks)
    assert "32 px" in report
    with torch.no_grad():
        assert larger.networks.keypoint_detector(torch.rand(1, 3, 64, 64))["value"].shape == (1, 3, 2)


@pytest.mark.parametrize(
    ("there", "here", "told"),
    [
        (None, {}, "starts anew (the file has none)"),
        ({}, None, "discriminator of the file is not used"),
        (None, None, "no discriminator"),
        ({}, {"condition_on_keypoints": True}, "blocks.0.conv.weight is 8x3x4x4 instead of 8x6x4x4"),
        ({"spectral_norm": True}, {}, "unexpected"),
    ],
)
def test_a_discriminator_that_starts_anew_is_told(tmp_path, module, there, here, told):
    trained, fresh = module(there), module(here)
    before = {k: v.clone() for k, v in fresh.state_dict().items() if k.startswith("discriminator.")}
    report = checkpoints.initialise(fresh, trained.save(tmp_path / "a.ckpt"))
    assert told in report
    assert "\n" not in report
    assert same(trained.networks, fresh.networks)
    assert all(torch.equal(value, fresh.state_dict()[key]) for key, value in before.items())


def test_networks_that_do_not_fit_are_refused_untouched(tmp_path, module, refusal):
    trained, other = module(), module(num_keypoints=5)
    before = {key: value.clone() for key, value in other.state_dict().items()}
    message = refusal(checkpoints.initialise, other, trained.save(tmp_path / "a.ckpt"))
    assert "heatmap.{weight is 3x7x7x7 instead of 5x7x7x7,bias is 3 instead of 5}" in message
    assert "mask.{weight is 4x20x7x7 instead of 6x28x7x7" in message
    assert all(torch.equal(value, other.state_dict()[key]) for key, value in before.items())


def test_another_kind_of_module_is_refused(tmp_path, module, refusal):
    path = module().save(tmp_path / "a.ckpt")
    other = module()
    other.networks = torch.nn.Linear(2, 2)
    assert "holds a fomm model; this run trains a Linear" in refusal(checkpoints.initialise, other, path)


class Stage(torch.nn.Module):
    """A stage of pix2pixHD's training, as a trainer saves it."""

    def __init__(self, **networks) -> None:
        super().__init__()
        self.networks = Pix2PixHD(labels=5, width=8, depth=1, blocks=1, enhancer_blocks=1, **networks)
        self.discriminator = None

    def save(self, path):
        description = checkpoints.describe("pix2pixhd", self.networks.arguments)
        checkpoints.save(path, {"state_dict": self.state_dict()}, description)
        return path


@pytest.mark.parametrize(
    ("before", "after", "anew"),
    [
        ({}, {}, ""),
        ({}, {"enhancers": 1}, ", generator.enhancers.0 starts anew, generator.head starts anew"),
        ({"enhancers": 1}, {"enhancers": 1, "face": True, "face_width": 4}, ", face starts anew"),
        (
            {"enhancers": 1},
            {"enhancers": 2},
            ", generator.enhancers.1 starts anew, generator.head starts anew",
        ),
        (
            {"enhancers": 1},
            {},
            ", generator.enhancers.0 of the file is not used, generator.head starts anew",
        ),
        ({"face": True, "face_width": 4}, {"face": True, "face_width": 8}, ", face starts anew"),
    ],
)
def test_a_stage_adds_to_the_one_before(tmp_path, before, after, anew):
    trained, fresh = Stage(**before), Stage(**after)
    first = {name: value.clone() for name, value in fresh.state_dict().items()}
    report = checkpoints.initialise(fresh, trained.save(tmp_path / "a.ckpt"))
    theirs = trained.state_dict()
    taken = 0
    for name, value in fresh.state_dict().items():
        parts = name.removeprefix("networks.").split(".")
        new = any(f"{'.'.join(parts[:count])} starts" in anew for count in (1, 2, 3))
        assert torch.equal(value, first[name] if new else theirs[name]), name
        taken += not new
    assert report.endswith(f"(pix2pixhd): networks, {taken} tensors{anew}; no discriminator")


def test_other_inputs_are_no_stage(tmp_path, refusal):
    path = Stage().save(tmp_path / "a.ckpt")
    other = Stage(previous=True)
    before = {name: value.clone() for name, value in other.state_dict().items()}
    message = refusal(checkpoints.initialise, other, path)
    assert "generator.trunk.stem.conv.weight is 8x5x7x7 instead of 8x8x7x7" in message
    assert all(torch.equal(value, before[name]) for name, value in other.state_dict().items())
