import pytest
import torch
import torch.nn.functional as F

from animate.ops.upsampling import LARGE_MAP, convolve_enlarged


def in_two_steps(x, weight, bias):
    return F.conv2d(x.repeat_interleave(2, -1).repeat_interleave(2, -2), weight, bias, padding=1)


@pytest.mark.parametrize("size", [(1, 1), (5, 4), (32, 32), (33, 40)], ids=str)
@pytest.mark.parametrize("biased", [True, False])
def test_it_is_enlarging_and_convolving(size, biased):
    drawn = torch.Generator().manual_seed(0)
    x, weight, bias = (
        torch.randn(*shape, dtype=torch.float64, generator=drawn, requires_grad=True)
        for shape in [(2, 3, *size), (4, 3, 3, 3), (4,)]
    )
    bias = bias if biased else None
    given = [tensor for tensor in (x, weight, bias) if tensor is not None]
    made, expected = convolve_enlarged(x, weight, bias), in_two_steps(x, weight, bias)
    torch.testing.assert_close(made, expected)
    goal = torch.randn_like(expected)
    torch.testing.assert_close(
        torch.autograd.grad(made, given, goal), torch.autograd.grad(expected, given, goal)
    )


def test_both_ways_were_tried():
    assert 5 * 4 < LARGE_MAP <= 32 * 32
