"""Warm starts: what is taken, what is not, and that it is told."""

from __future__ import annotations

import pytest
import torch

from animate import checkpoints
from animate.networks.pix2pixhd import MultiscaleDiscriminator, Pix2PixHD


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
        slim = {"labels": 5, "width": 8, "depth": 1, "blocks": 1, "enhancer_blocks": 1}
        self.networks = Pix2PixHD(**slim | networks)
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


def judging(frames, labels=5):
    return MultiscaleDiscriminator(labels, frames=frames, width=4, layers=1)


def describing(stage, path):
    networks, judge = stage.networks.arguments, stage.discriminator and stage.discriminator.arguments
    checkpoints.save(
        path, {"state_dict": stage.state_dict()}, checkpoints.describe("pix2pixhd", networks, judge)
    )
    return path


@pytest.mark.parametrize("enhancers", [0, 1])
def test_the_training_over_time_begins_as_the_one_before(tmp_path, enhancers):
    """The pictures and the judgement are those of the base stage, whatever the earlier frame is."""
    torch.manual_seed(0)
    before, after = Stage(enhancers=enhancers), Stage(enhancers=enhancers, previous=True)
    before.discriminator, after.discriminator = judging(1), judging(2)
    report = checkpoints.initialise(after, describing(before, tmp_path / "a.ckpt"))
    counts = [len(part.state_dict()) for part in (after.networks, after.discriminator)]
    assert f"networks, {counts[0]} tensors, the weights of the previous frame start at 0" in report
    assert f"discriminator, {counts[1]} tensors, the weights of the earlier frames start at 0" in report

    label = torch.randint(5, (2, 1, 16, 16))
    pictures = torch.rand(2, 3, 16, 16)
    with torch.no_grad():
        base = before.networks(label)
        for previous in (None, pictures, 1 - pictures):
            torch.testing.assert_close(after.networks(label, previous=previous), base, atol=1e-6, rtol=1e-5)
        now, earlier = before.networks.condition(label), before.networks.condition(label.flip(0))
        alone = before.discriminator(now, pictures)
        pair = after.discriminator(
            torch.cat([earlier, now], dim=1), torch.cat([pictures.flip(0), pictures], dim=1)
        )
    for one, other in zip(alone, pair, strict=True):
        torch.testing.assert_close(other.score, one.score, atol=1e-5, rtol=1e-4)


def test_another_skeleton_of_as_many_limbs_is_told(tmp_path):
    before, after = (Stage(labels=18, skeleton=skeleton) for skeleton in ("puppet_person", "coco18"))
    report = checkpoints.initialise(after, describing(before, tmp_path / "a.ckpt"))
    assert "its labels were skeletons of puppet_person, here of coco18" in report


def test_what_starts_at_0_learns(tmp_path):
    before, after = Stage(), Stage(previous=True)
    checkpoints.initialise(after, describing(before, tmp_path / "a.ckpt"))
    after.networks(
        torch.randint(5, (1, 1, 16, 16)), previous=torch.rand(1, 3, 16, 16)
    ).square().sum().backward()
    gradient = after.networks.generator.trunk.stem.conv.weight.grad
    assert gradient[:, 5:].abs().amax(dim=(0, 2, 3)).min() > 0


@pytest.mark.parametrize(
    ("there", "here"),
    [
        ({"previous": True}, {"previous": False}),  # nothing is taken away
        ({"labels": 2, "previous": True}, {"previous": True}),  # three channels more, but of other things
        ({"labels": 4}, {"previous": True}),
        ({"labels": 8}, {"previous": True}),  # as many, but of other things
    ],
    ids=["narrower", "classes", "both", "sum"],
)
def test_other_inputs_are_no_stage(tmp_path, refusal, there, here):
    path = describing(Stage(**there), tmp_path / "a.ckpt")
    other = Stage(**here)
    before = {name: value.clone() for name, value in other.state_dict().items()}
    message = refusal(checkpoints.initialise, other, path)
    assert "generator.trunk.stem.conv.weight is 8x" in message
    assert all(torch.equal(value, before[name]) for name, value in other.state_dict().items())


def test_a_discriminator_of_other_labels_starts_anew(tmp_path):
    before, after = Stage(), Stage(previous=True)
    before.discriminator, after.discriminator = judging(1, labels=4), judging(2)
    first = {name: value.clone() for name, value in after.discriminator.state_dict().items()}
    report = checkpoints.initialise(after, describing(before, tmp_path / "a.ckpt"))
    assert "the discriminator starts anew" in report
    assert all(torch.equal(value, first[name]) for name, value in after.discriminator.state_dict().items())
