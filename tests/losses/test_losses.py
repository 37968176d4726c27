import copy
import math

import pytest
import torch
from torch import nn

from animate.losses.adversarial import cross_entropy, discriminator_loss, generator_loss
from animate.losses.equivariance import equivariance_jacobian_loss, equivariance_value_loss
from animate.losses.feature_matching import feature_matching_loss, multiscale_feature_matching_loss
from animate.losses.perceptual import PerceptualLoss
from animate.losses.reconstruction import reconstruction_loss
from animate.networks.vgg import vgg19_random
from animate.ops.transform import RandomTransform, TransformNoise


def test_adversarial_losses_are_least_squares():
    fake, real = torch.tensor([[0.5, 1.0]]), torch.tensor([[0.0, 1.0]])
    assert generator_loss(fake) == pytest.approx(0.125)
    assert discriminator_loss(real_score=real, fake_score=fake) == pytest.approx(0.5 + 0.625)
    assert generator_loss(torch.ones(3)) == 0
    assert discriminator_loss(real_score=torch.ones(3), fake_score=torch.zeros(3)) == 0


def test_adversarial_losses_sum_scales_each_of_equal_weight():
    large, small = torch.tensor([[0.5, 1.0], [0.0, 1.0]]), torch.tensor([[3.0]])
    assert generator_loss([large, small]) == pytest.approx(1.25 / 4 + 4)
    assert discriminator_loss(real_score=[large], fake_score=[small]) == pytest.approx(1.25 / 4 + 9)


def test_adversarial_goals_can_be_others():
    real, fake = torch.tensor([0.5, -1.0]), torch.tensor([2.0])
    loss = discriminator_loss(real_score=real, fake_score=fake, goals=(1.0, -1.0))
    assert loss.item() == pytest.approx((0.25 + 4.0) / 2 + 9.0)
    assert generator_loss(fake, goal=0.0).item() == pytest.approx(4.0)


def test_cross_entropy_takes_logits():
    odds = torch.tensor([3.0, 1.0])
    fake, real = odds.log(), -odds.log()  # probabilities of being real 3/4, 1/2 and 1/4, 1/2
    assert generator_loss(fake, cross_entropy) == pytest.approx(-(math.log(0.75) + math.log(0.5)) / 2)
    expected = -(math.log(0.25) + math.log(0.5)) / 2
    assert discriminator_loss(real, fake, cross_entropy) == pytest.approx(2 * expected)
    # Far from the goal the loss is the logit itself: no infinity, and a gradient.
    sure = torch.tensor([-1000.0], requires_grad=True)
    generator_loss(sure, cross_entropy).backward()
    assert sure.grad.item() == pytest.approx(-1)


def test_multiscale_feature_matching_is_four_times_the_mean_over_layers_and_scales():
    def features(*values):
        return [torch.full((1, 2, 3, 3), value) for value in values]

    fake, real = [features(1.0, 2.0, 3.0), features(0.0, 0.0, 0.0)], [features(0.0, 0.0, 0.0)] * 2
    assert multiscale_feature_matching_loss(fake, real) == pytest.approx(4 * (1 + 2 + 3) / 6)


def test_feature_matching_sums_layers_and_leaves_the_real_ones_alone():
    fake = [torch.zeros(2, 3, 4, 4, requires_grad=True), torch.zeros(2, 5, 2, 2, requires_grad=True)]
    real = [
        torch.full((2, 3, 4, 4), 2.0, requires_grad=True),
        torch.full((2, 5, 2, 2), 3.0, requires_grad=True),
    ]
    loss = feature_matching_loss(fake, real)
    loss.backward()
    assert loss.item() == pytest.approx(5.0)
    assert real[0].grad is None
    assert fake[1].grad.sum().item() == pytest.approx(-1.0)


def test_reconstruction_is_the_mean_absolute_difference():
    assert reconstruction_loss(torch.zeros(1, 3, 4, 4), torch.full((1, 3, 4, 4), 0.25)) == pytest.approx(0.25)


def followers(seed: int):
    """Keypoints of a picture and of its deformation that follow the deformation exactly."""
    transform = RandomTransform.draw([seed, seed + 1], TransformNoise(), torch.device("cpu"))
    transformed = {
        "value": torch.rand(2, 5, 2) - 0.5,
        "jacobian": torch.eye(2) + 0.2 * torch.randn(2, 5, 2, 2),
    }
    points = transformed["value"]
    keypoints = {
        "value": transform.points(points),
        "jacobian": transform.jacobian(points) @ transformed["jacobian"],
    }
    return keypoints, transformed, transform


def test_equivariance_is_zero_for_keypoints_that_follow():
    keypoints, transformed, transform = followers(1)
    assert equivariance_value_loss(keypoints, transformed, transform) < 1e-6
    assert equivariance_jacobian_loss(keypoints, transformed, transform) < 1e-5


def test_equivariance_measures_what_does_not_follow():
    keypoints, transformed, transform = followers(2)
    off = {"value": keypoints["value"] + 0.1, "jacobian": 2 * keypoints["jacobian"]}
    assert equivariance_value_loss(off, transformed, transform) == pytest.approx(0.1, abs=1e-5)
    # J^-1 T' J_T is half the identity then: two of four entries are off by a half.
    assert equivariance_jacobian_loss(off, transformed, transform) == pytest.approx(0.25, abs=1e-5)


class Halves(nn.Module):
    """A feature network whose distances are known, and which counts its calls."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(0.5))
        self.calls: list[tuple[int, bool]] = []

    def forward(self, picture):
        self.calls.append((picture.shape[-1], torch.is_grad_enabled()))
        return [self.scale * picture, picture[:, :1]]


def test_perceptual_loss_sums_scales_and_layers():
    network = Halves()
    loss = PerceptualLoss(network, scales=4)
    prediction = torch.full((1, 3, 64, 64), 0.5, requires_grad=True)
    target = torch.full((1, 3, 64, 64), 0.25)
    full = PerceptualLoss(Halves(), scales=1)(prediction, target)
    assert full.item() == pytest.approx(0.5 * 0.25 + 0.25)
    loss(prediction, target).backward()
    # Levels 64, 32 and 16 (8 is dropped), the target's once each and without a graph.
    assert sorted(network.calls) == [
        (16, False),
        (16, True),
        (32, False),
        (32, True),
        (64, False),
        (64, True),
    ]
    assert prediction.grad is not None
    assert network.scale.grad is None


def test_perceptual_loss_weighs_layers():
    prediction, target = torch.full((1, 3, 32, 32), 0.5), torch.full((1, 3, 32, 32), 0.25)
    loss = PerceptualLoss(Halves(), scales=1, weights=(2.0, 3.0))
    assert loss(prediction, target).item() == pytest.approx(2 * 0.5 * 0.25 + 3 * 0.25)


def test_perceptual_loss_without_imagenets_normalisation_sees_minus_one_to_one():
    network, (a, b) = vgg19_random(0, 8), torch.rand(2, 1, 3, 32, 32)
    raw = PerceptualLoss(network, scales=1, standardise=False)(a, b)
    # The same network with a mean and deviation that give 2 x - 1.
    network.mean.fill_(0.5)
    network.std.fill_(0.5)
    assert raw == pytest.approx(PerceptualLoss(network, scales=1)(a, b).item(), rel=1e-5)


def test_perceptual_loss_stays_out_of_the_module_that_holds_it():
    holder = nn.Linear(2, 2)
    holder.perceptual = PerceptualLoss(vgg19_random(0, 16), scales=2)
    assert set(holder.state_dict()) == {"weight", "bias"}
    assert len(list(holder.parameters())) == 2
    copied = copy.deepcopy(holder)
    assert copied.perceptual is holder.perceptual
    assert copied.weight is not holder.weight


def test_perceptual_loss_of_equal_pictures_is_zero_and_follows_the_difference():
    loss = PerceptualLoss(vgg19_random(0, 8), scales=2)
    picture, noise = torch.rand(2, 3, 32, 32), torch.randn(2, 3, 32, 32)
    assert loss(picture, picture) == 0
    near, far = loss(picture + 0.01 * noise, picture), loss(picture + 0.1 * noise, picture)
    assert 0 < near < far / 5
