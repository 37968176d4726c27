"""pose2vid's objective over poses, its order over time, its schedule, and the face's second look."""

from __future__ import annotations

import pytest
import torch

from animate.errors import UserError
from animate.layouts import PUPPET_PERSON
from animate.losses.perceptual import PerceptualLoss
from animate.modules.conditional_gan import LossWeights
from animate.modules.pose2vid import Pose2Vid
from animate.modules.pose2vid_face import Pose2VidFace
from animate.networks.pix2pixhd import MultiscaleDiscriminator, Pix2PixHD
from animate.networks.vgg import vgg19_random
from animate.types import Batch

SIDE, LABELS = 32, 18
PERCEPTUAL = PerceptualLoss(vgg19_random(0, 32), scales=1)


def networks(**arguments) -> Pix2PixHD:
    slim = {"labels": LABELS, "skeleton": "puppet_person", "width": 4, "depth": 2, "blocks": 1}
    slim |= {"face_width": 4, "face_depth": 1, "face_blocks": 1, "face_side": 16}
    return Pix2PixHD(**(slim | arguments))


def judge(frames: int = 1, **arguments) -> MultiscaleDiscriminator:
    return MultiscaleDiscriminator(LABELS, frames, width=4, layers=2, **arguments)


def batch(size: int = 2, frames: int = 2, start: int = 0) -> Batch:
    generator = torch.Generator().manual_seed(start)
    joints = len(PUPPET_PERSON.points)
    return Batch(
        frames=torch.rand(size, frames, 3, SIDE, SIDE, generator=generator),
        frame_index=torch.arange(start, start + frames).expand(size, -1),
        clip=[f"clip {index}" for index in range(size)],
        seed=list(range(size)),
        points=torch.rand(size, frames, joints, 2, generator=generator) * 1.6 - 0.8,
        visible=torch.ones(size, frames, joints, dtype=torch.bool),
    )


def part_of(whole: Batch, frames: list[int]) -> Batch:
    """Take frames of a batch as a view gives them."""
    over_time = ("frames", "frame_index", "points", "visible")
    return {key: value[:, frames] if key in over_time else value for key, value in whole.items()}


@pytest.mark.parametrize("previous", [False, True])
def test_every_parameter_gets_a_gradient(previous) -> None:
    module = Pose2Vid(networks(previous=previous), judge(frames=2), PERCEPTUAL)
    terms = module.training_terms(batch())
    assert set(terms) == {"perceptual", "generator_gan", "feature_matching", "discriminator_gan"}
    sum(terms.values()).backward()
    assert all(parameter.grad is not None for parameter in module.parameters())


def test_the_generators_terms_leave_the_discriminator_alone_and_the_other_way_round() -> None:
    module = Pose2Vid(networks(), judge(frames=2), PERCEPTUAL)
    own, others = list(module.discriminator.parameters()), list(module.networks.parameters())
    terms = module.training_terms(batch())
    judged = torch.autograd.grad(terms["discriminator_gan"], own + others, allow_unused=True)
    assert [gradient is not None for gradient in judged] == [True] * len(own) + [False] * len(others)
    made = torch.autograd.grad(
        terms["generator_gan"] + terms["feature_matching"], own + others, allow_unused=True
    )
    assert [gradient is not None for gradient in made] == [False] * len(own) + [True] * len(others)


def test_each_frame_is_made_from_the_prediction_before_it() -> None:
    module = Pose2Vid(networks(previous=True), loss_weights=LossWeights(generator_gan=0, perceptual=0))
    module.eval()
    data = batch(frames=3)
    with torch.no_grad():
        condition = module.condition(data)
        made = module.rollout(condition)
        by_hand = []
        for step in range(3):
            previous = 2 * by_hand[-1] - 1 if by_hand else torch.zeros(2, 3, SIDE, SIDE)
            by_hand.append(module.networks.generator(torch.cat([condition[:, step], previous], dim=1)))
    torch.testing.assert_close(made, torch.stack(by_hand, dim=1))


def test_a_clip_in_chunks_is_the_clip_as_a_whole() -> None:
    module = Pose2Vid(networks(previous=True), loss_weights=LossWeights(generator_gan=0, perceptual=0))
    module.eval()
    whole = batch(frames=7)
    with torch.no_grad():
        at_once = module.reconstruct(part_of(whole, [0, 0, 1, 2, 3, 4, 5]))
        chunks = [module.reconstruct(part_of(whole, [0, *part])) for part in ([0, 1], [2, 3, 4], [5])]
        again = module.reconstruct(part_of(whole, [0, 0, 1]))
    pictures = [chunk["prediction"].unflatten(0, (2, -1)) for chunk in chunks]
    torch.testing.assert_close(torch.cat(pictures, dim=1).flatten(0, 1), at_once["prediction"])
    torch.testing.assert_close(again["prediction"], chunks[0]["prediction"])  # a new pass begins anew
    assert at_once["clip"] == ["clip 0"] * 6 + ["clip 1"] * 6
    assert at_once["frame"] == list(range(6)) * 2


def test_learning_rates_stay_and_then_fall_linearly() -> None:
    module = Pose2Vid(networks(), judge(), PERCEPTUAL, constant_epochs=2, decay_epochs=4, optimizer=None)
    configured = module.configure_optimizers()
    scheduler, rates = configured["lr_scheduler"]["scheduler"], []
    for _ in range(7):
        rates.append([group["lr"] for group in configured["optimizer"].param_groups])
        configured["optimizer"].step()
        scheduler.step()
    expected = [2e-4 * factor for factor in (1, 1, 1, 0.75, 0.5, 0.25, 0)]
    assert rates == [pytest.approx([rate, rate]) for rate in expected]


def test_only_the_face_learns_in_its_stage() -> None:
    module = Pose2VidFace(networks(face=True), judge(scales=1, norm="batch"), PERCEPTUAL)
    learning = {name for name, parameter in module.named_parameters() if parameter.requires_grad}
    assert learning == {
        name for name, _ in module.named_parameters() if name.startswith(("networks.face.", "discriminator."))
    }
    sum(module.training_terms(batch()).values()).backward()
    assert {name for name, p in module.named_parameters() if p.grad is not None} == learning


@pytest.mark.parametrize("regions", ["head", "head_hands"])
def test_pictures_change_only_where_a_region_was_found(regions) -> None:
    module = Pose2Vid(
        networks(face=True, face_regions=regions), loss_weights=LossWeights(generator_gan=0, perceptual=0)
    )
    data = batch(size=1, frames=2)
    head = [PUPPET_PERSON.index(name) for name in ("nose", "right_eye", "left_eye", "right_ear", "left_ear")]
    data["points"][:] = 0.9  # hands in the corner
    data["points"][:, :, head] = -0.5  # pixel 7.75 of 31
    with torch.no_grad():
        output = module.reconstruct(data)
        changed = (output["prediction"] != output["pictures"]["before"]).any(dim=1)[0]
        data["visible"][:] = False
        unseen = module.reconstruct(data)
    rows, columns = changed.nonzero(as_tuple=True)
    in_head = (rows < 16) & (columns < 16)
    assert in_head.any()
    assert bool((~in_head).any()) == (regions == "head_hands")
    assert torch.equal(unseen["prediction"], unseen["pictures"]["before"])


def test_what_is_missing_is_named() -> None:
    with pytest.raises(UserError, match=r"model\.discriminator is missing"):
        Pose2Vid(networks(), None, PERCEPTUAL)
    with pytest.raises(UserError, match=r"model\.perceptual is missing"):
        Pose2Vid(networks(), judge())
    with pytest.raises(UserError, match="the parts are generator, discriminator"):
        Pose2Vid(networks(), judge(), PERCEPTUAL, optimizer={"face": {"lr": 1.0, "betas": (0.5, 0.9)}})
    with pytest.raises(UserError, match=r"model\.networks\.face=false"):
        Pose2VidFace(networks(), judge(), PERCEPTUAL)
    with pytest.raises(UserError, match="labels=17: a map of its limbs of the skeleton puppet_person has 18"):
        networks(labels=17)


def test_a_size_that_does_not_suit_is_told() -> None:
    module = Pose2Vid(networks(), judge(frames=2), PERCEPTUAL)
    data = batch()
    data["frames"] = data["frames"][..., :30]
    with pytest.raises(UserError, match=r"data\.image_size: 32x30 is not a multiple of 4"):
        module.training_terms(data)
