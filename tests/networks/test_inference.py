import copy

import pytest
import torch
from torch import nn

from animate.networks.blocks import Hourglass
from animate.networks.inference import for_inference
from small import networks


def with_statistics(network: nn.Module) -> nn.Module:
    """Give every batch norm another mean, deviation, scale and shift."""
    drawn = torch.Generator().manual_seed(0)
    for norm in network.modules():
        if isinstance(norm, nn.BatchNorm2d):
            for tensor, low in ((norm.running_mean, -1), (norm.running_var, 0.5)):
                tensor.copy_(torch.rand(tensor.shape, generator=drawn) + low)
            with torch.no_grad():
                for tensor in (norm.weight, norm.bias):
                    tensor.copy_(torch.rand(tensor.shape, generator=drawn) + 0.2)
    return network.eval()


def test_the_first_order_model_makes_the_same_pictures():
    plain = with_statistics(networks(generator_blocks=2, generator_depth=2)).double()
    fast = for_inference(copy.deepcopy(plain))
    pictures = torch.rand(2, 3, 32, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        made, expected = (
            net.generator(
                pictures,
                kp_source=net.keypoint_detector(pictures),
                kp_driving=net.keypoint_detector(pictures.flip(0)),
            )
            for net in (fast, plain)
        )
    for name in ("prediction", "deformation", "occlusion_map"):
        torch.testing.assert_close(made[name], expected[name], rtol=1e-9, atol=1e-9)


def test_only_norms_that_follow_a_sum_are_left():
    fast = for_inference(networks(generator_blocks=3).eval())
    left = [name for name, module in fast.named_modules() if isinstance(module, nn.BatchNorm2d)]
    assert left == [f"generator.bottleneck.{block}.norm1" for block in range(3)]


def test_twice_is_as_once():
    once = for_inference(with_statistics(Hourglass(3, 4, 8, 2)))
    x = torch.rand(1, 3, 8, 8)
    expected = once(x)
    torch.testing.assert_close(for_inference(once)(x), expected)


def test_a_network_in_training_is_refused():
    with pytest.raises(ValueError, match="eval"):
        for_inference(Hourglass(3, 4, 8, 2))
