import warnings

import torch
from torch import nn

from animate.networks.blocks import Hourglass, ResBlock, SpectralNormConv2d


def test_hourglass_keeps_the_input_beside_what_it_computes():
    hourglass = Hourglass(3, width=4, max_width=8, depth=3)
    x = torch.rand(2, 3, 16, 24)
    y = hourglass(x)
    assert y.shape == (2, hourglass.out_channels, 16, 24)
    assert torch.equal(y[:, -3:], x)
    assert [block.conv.out_channels for block in hourglass.encoder] == [8, 8, 8]
    assert [block.conv.in_channels for block in hourglass.decoder] == [8, 16, 16]


def test_a_residual_block_of_zero_weights_is_the_identity():
    block = ResBlock(4)
    nn.init.zeros_(block.conv2.weight)
    nn.init.zeros_(block.conv2.bias)
    x = torch.randn(2, 4, 5, 5)
    assert torch.equal(block(x), x)


def spectral_pair() -> tuple[SpectralNormConv2d, nn.Conv2d]:
    """Ours and PyTorch's first implementation, of the same weights and singular vectors."""
    ours = SpectralNormConv2d(3, 6, 4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = nn.utils.spectral_norm(nn.Conv2d(3, 6, 4))
    state = ours.state_dict()
    state["weight_orig"] = state.pop("weight")
    theirs.load_state_dict(state)
    return ours, theirs


def test_spectral_norm_equals_pytorchs_first_implementation():
    ours, theirs = spectral_pair()
    pictures = [torch.rand(2, 3, 8, 8) for _ in range(4)]
    outputs = [
        (ours(x), theirs(x)) for x in pictures
    ]  # several passes before one backward, as a GAN step does
    for mine, yours in outputs:
        torch.testing.assert_close(mine, yours)
    sum(mine.square().sum() for mine, _ in outputs).backward()
    sum(yours.square().sum() for _, yours in outputs).backward()
    torch.testing.assert_close(ours.weight.grad, theirs.weight_orig.grad)
    torch.testing.assert_close(ours.weight_u, theirs.weight_u)
    torch.testing.assert_close(ours.weight_v, theirs.weight_v)


def test_spectral_norm_stands_still_in_evaluation():
    ours, theirs = spectral_pair()
    u = ours.weight_u.clone()
    x = torch.rand(2, 3, 8, 8)
    torch.testing.assert_close(ours.eval()(x), theirs.eval()(x))
    assert torch.equal(ours.weight_u, u)


def test_spectral_norm_converges_to_the_largest_singular_value():
    ours, _ = spectral_pair()
    for _ in range(200):
        ours(torch.rand(1, 3, 4, 4))
    largest = torch.linalg.matrix_norm(ours.weight.flatten(1), 2)
    torch.testing.assert_close(ours._largest_singular_value(), largest, rtol=1e-4, atol=1e-4)
