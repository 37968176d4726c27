"""The background network's input and output rules, and its discriminator."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from animate.errors import UserError
from animate.networks.inpainting import (
    BackgroundInpainter,
    GlobalLocalDiscriminator,
    ResNetInpainter,
    UNetInpainter,
    composite,
    masked,
)
from animate.ops.pull_push import pull_push


@pytest.fixture(scope="module")
def small():
    torch.manual_seed(0)
    network = ResNetInpainter("impersonator", (4, 6, 8), 1).eval()
    for parameter in network.parameters():  # far from the small weights it begins with
        parameter.data.normal_(0, 0.3)
    return network


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (17, 40), (64, 33)])
def test_the_result_has_the_size_of_the_picture(small, size):
    x = torch.randn(2, 4, *size)
    with torch.no_grad():
        made = small(x)
    assert made.shape == (2, 3, *size)
    assert 0 <= made.min() <= made.max() <= 1


def test_sizes_that_do_not_divide_are_padded_by_their_last_row_and_column(small):
    x = torch.randn(1, 4, 14, 17)
    rows, columns = list(range(14)) + [13] * 2, list(range(17)) + [16] * 3
    by_hand = x[:, :, rows][:, :, :, columns]
    assert by_hand.shape[-2:] == (16, 20)
    with torch.no_grad():
        assert torch.equal(small(x), small(by_hand)[..., :14, :17])


def test_a_picture_does_not_depend_on_its_batch(small):
    x = torch.randn(3, 4, 24, 32)
    with torch.no_grad():
        alone = torch.cat([small(each[None]) for each in x])
        torch.testing.assert_close(small(x), alone, rtol=0, atol=1e-5)


def test_training_and_evaluation_agree(small):
    x = torch.randn(2, 4, 24, 32)
    with torch.no_grad():
        evaluated = small.eval()(x)
        trained = small.train()(x)
    small.eval()
    assert torch.equal(evaluated, trained)


def test_masked_hides_the_hole_in_the_published_form():
    pictures, hole = torch.rand(2, 3, 8, 8), torch.zeros(2, 1, 8, 8)
    hole[0, 0, 2:5, 3:6] = 1
    x = masked(pictures, hole)
    assert x.shape == (2, 4, 8, 8)
    assert (x[0, :3, 2:5, 3:6] == 0).all()
    assert torch.equal(x[1, :3], 2 * pictures[1] - 1)
    assert torch.equal(x[:, 3:], 1 - hole)


def test_fill_keeps_what_is_known_and_never_sees_the_hole():
    torch.manual_seed(1)
    networks = BackgroundInpainter("ipercore", (4, 6), 1, image_size=16)
    pictures, hole = torch.rand(1, 3, 16, 16), torch.zeros(1, 1, 16, 16)
    hole[..., 4:9, 5:12] = 1
    other = torch.lerp(pictures, torch.rand(1, 3, 16, 16), hole)
    with torch.no_grad():
        plate = networks.fill(pictures, hole)
        assert torch.equal(plate, networks.fill(other, hole))
    outside = hole.expand(-1, 3, -1, -1) == 0
    assert torch.equal(plate[outside], pictures[outside])
    assert not torch.equal(plate, pictures)


def test_composite_blends_by_the_mask():
    made, picture = torch.rand(1, 3, 4, 4), torch.rand(1, 3, 4, 4)
    hole = torch.full((1, 1, 4, 4), 0.25)
    torch.testing.assert_close(composite(made, picture, hole), 0.25 * made + 0.75 * picture)


@pytest.mark.parametrize(("layout", "learns"), [("impersonator", 22), ("ipercore", 13)])
def test_every_parameter_learns(layout, learns):
    network = ResNetInpainter(layout, (4, 6, 8), 1)
    (network(torch.randn(2, 4, 32, 32)) - torch.rand(2, 3, 32, 32)).abs().mean().backward()
    found = [parameter.grad for parameter in network.parameters()]
    assert len(found) == learns
    assert all(gradient is not None and gradient.isfinite().all() for gradient in found)


def test_our_own_begins_nearly_with_the_average_and_all_of_it_learns():
    torch.manual_seed(3)
    network = UNetInpainter((4, 6, 8), 5)
    pictures, hole = torch.rand(2, 3, 13, 22), torch.zeros(2, 1, 13, 22)
    hole[:, :, 3:9, 5:16] = 1
    x = masked(pictures, hole)
    padded = F.pad(x, (0, 2, 0, 3), mode="replicate")
    average = (pull_push(padded[:, :3], padded[:, 3:])[..., :13, :22] + 1) / 2
    with torch.no_grad():
        made = network(x)
    # The logits of the four directions are 0 and the average's is 4: it has at least 93 % of the belief.
    assert (made - average).abs().max() < 4 / (4 + math.e**4)
    torch.testing.assert_close(made * (1 - hole), pictures * (1 - hole))
    network.head.weight.data.normal_(0, 0.1)
    (network(x) - pictures).abs().mean().backward()
    assert all(weight.grad.abs().sum() > 0 for weight in network.parameters())


def test_our_own_believes_what_it_sees_when_its_logits_say_so():
    """With all belief on what is seen to the left, every row of the hole has the colour before it."""
    network = UNetInpainter((4, 6), 1)
    network.head.bias.data.unflatten(0, (8, 4))[4] = 50.0  # 3 of the correction, the average, then left
    pictures, hole = torch.rand(1, 3, 8, 12), torch.zeros(1, 1, 8, 12)
    hole[..., 2:6, 4:12] = 1  # as far as the right edge
    with torch.no_grad():
        made = network(masked(pictures, hole))
    torch.testing.assert_close(made[..., 2:6, 4:], pictures[..., 2:6, 3:4].expand(-1, -1, -1, 8))


def test_pixels_that_are_too_bright_still_learn():
    network = UNetInpainter((4,), 0)
    network.head.bias.data[:12] = 5.0
    made = network(masked(torch.rand(1, 3, 8, 8), torch.ones(1, 1, 8, 8)))
    assert (made == 1).all()
    made.sum().backward()
    assert (network.head.bias.grad[:12] > 0).all()


def test_arguments_rebuild_the_networks():
    networks = BackgroundInpainter("ipercore", (4, 8, 8), 2, 64)
    again = BackgroundInpainter(**networks.arguments)
    again.load_state_dict(networks.state_dict())
    assert networks.arguments == {"layout": "ipercore", "filters": [4, 8, 8], "blocks": 2, "image_size": 64}
    with pytest.raises(UserError, match="filters"):
        ResNetInpainter(filters=())


def test_results_are_float32_under_autocast(small):
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        assert small(torch.randn(1, 4, 16, 16)).dtype == torch.float32


def test_the_discriminator_is_the_patch_network_of_its_parts():
    """Written out: 4x4 convolutions, padding 1, strides 2 2 1 1, norm in between."""
    torch.manual_seed(2)
    discriminator = GlobalLocalDiscriminator(width=4, layers=2)
    pictures, hole = torch.rand(2, 3, 48, 40), torch.zeros(2, 1, 48, 40)
    hole[:, :, 30:40, 4:10] = 1
    whole, local = discriminator(pictures, hole, pictures)

    def by_hand(part, x):
        x = F.leaky_relu(F.conv2d(x, part.first.weight, part.first.bias, 2, 1), 0.2)
        for conv, stride in zip(part.convs, (2, 1), strict=True):
            x = F.leaky_relu(F.instance_norm(F.conv2d(x, conv.weight, conv.bias, stride, 1)), 0.2)
        return F.conv2d(x, part.head.weight, part.head.bias, 1, 1)

    seen = 2 * pictures - 1
    assert torch.equal(whole.score, by_hand(discriminator.whole, torch.cat([seen, hole], 1)))
    # The hole's centre is at row 34.5 and column 6.5; a window of 20 px around it is moved into the picture.
    window = (slice(None), slice(None), slice(25, 45), slice(0, 20))
    around = torch.cat([seen, seen * (1 - hole)], 1)[window]
    assert torch.equal(local.score, by_hand(discriminator.local, around))


def test_a_discriminator_judges_without_a_hole_and_refuses_small_crops():
    discriminator = GlobalLocalDiscriminator(width=4, layers=2)
    pictures = torch.rand(1, 3, 40, 40)
    for judged in discriminator(pictures, torch.zeros(1, 1, 40, 40), pictures):
        assert judged.score.isfinite().all()
    with pytest.raises(UserError, match="layers lower"):
        discriminator(torch.rand(1, 3, 16, 16), torch.zeros(1, 1, 16, 16), torch.rand(1, 3, 16, 16))


def test_the_published_discriminator_has_the_published_channels():
    with torch.device("meta"):
        discriminator = GlobalLocalDiscriminator()
    shapes = [tuple(conv.weight.shape) for conv in (discriminator.whole.first, *discriminator.whole.convs)]
    assert shapes == [(64, 4, 4, 4), (128, 64, 4, 4), (256, 128, 4, 4), (512, 256, 4, 4), (512, 512, 4, 4)]
    assert discriminator.local.first.weight.shape == (64, 6, 4, 4)
