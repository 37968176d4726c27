"""U²-Net's input and output rules, and what its maps promise."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from animate.errors import UserError
from animate.networks.u2net import U2Net, U2NetMatting, normalised, stretched


@pytest.fixture(scope="module")
def small():
    torch.manual_seed(0)
    return U2Net(width=8).eval()


@pytest.mark.parametrize("size", [(1, 1), (17, 40), (64, 33)])
def test_maps_have_the_size_of_the_picture(small, size):
    with torch.no_grad():
        maps = small(torch.randn(2, 3, *size))
    assert len(maps) == 7
    for one in maps:
        assert one.shape == (2, 1, *size)
        assert 0 <= one.min() <= one.max() <= 1


def test_a_picture_does_not_depend_on_its_batch(small):
    pictures = torch.randn(3, 3, 40, 24)
    with torch.no_grad():
        together, alone = small(pictures), [small(picture[None]) for picture in pictures]
    for i, one in enumerate(together):
        torch.testing.assert_close(one, torch.cat([maps[i] for maps in alone]), rtol=0, atol=1e-5)


def test_every_parameter_learns(small):
    network = U2Net("u2net", width=4)
    sum(one.mean() for one in network.logits(torch.randn(2, 3, 64, 64))).backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


def test_maps_are_float32_under_autocast(small):
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        assert {one.dtype for one in small(torch.randn(1, 3, 32, 32))} == {torch.float32}


def test_width_scales_every_layer():
    with torch.device("meta"):
        half, whole = U2Net("u2net", 32), U2Net("u2net", 64)
    pairs = zip(half.encoder, whole.encoder, strict=True)
    assert all(2 * a.entry.conv.out_channels == b.entry.conv.out_channels for a, b in pairs)
    with pytest.raises(UserError, match="no multiple of 4"):
        U2Net(width=6)


def test_arguments_rebuild_the_network():
    model = U2NetMatting("u2net", 8, image_size=64)
    again = U2NetMatting(**model.arguments)
    again.load_state_dict(model.state_dict())
    assert model.arguments == {"layout": "u2net", "width": 8, "image_size": 64}


def test_normalised_is_the_published_formula():
    pictures = np.random.default_rng(0).random((2, 3, 5, 7), dtype=np.float32)
    pictures[1] *= 0.3
    mean, deviation = np.array([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]])[:, None, :, None, None]
    largest = pictures.max(axis=(1, 2, 3), keepdims=True)
    expected = (pictures / largest - mean) / deviation
    torch.testing.assert_close(
        normalised(torch.from_numpy(pictures)).double(), torch.from_numpy(expected), rtol=0, atol=1e-5
    )


def test_a_black_picture_stays_finite():
    black = normalised(torch.zeros(1, 3, 4, 4))
    torch.testing.assert_close(
        black[0, :, 0, 0], torch.tensor([-0.485 / 0.229, -0.456 / 0.224, -0.406 / 0.225])
    )


def test_a_map_that_tells_is_stretched_as_published():
    maps = torch.tensor([[0.2, 0.4, 0.7], [0.1, 0.9, 0.5]]).view(2, 1, 1, 3)
    expected = torch.tensor([[0.0, 0.4, 1.0], [0.0, 1.0, 0.5]]).view(2, 1, 1, 3)
    torch.testing.assert_close(stretched(maps), expected)


@pytest.mark.parametrize("values", [[0.01, 0.03, 0.2], [0.6, 0.8, 0.97], [0.5, 0.5, 0.5], [0.0, 0.0, 0.0]])
def test_a_map_without_or_full_of_figure_stays_as_it_is(values):
    maps = torch.tensor(values).view(1, 1, 1, 3)
    assert torch.equal(stretched(maps), maps)
