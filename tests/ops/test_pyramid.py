import pytest
import torch
import torch.nn.functional as F

from animate.ops.pyramid import AntiAliasDownsample, ImagePyramid


@pytest.mark.parametrize(("factor", "sigma", "taps"), [(2, 0.5, 5), (4, 1.5, 13), (6, 2.5, 21), (8, 3.5, 29)])
def test_downsampling_equals_blurring_at_full_size_and_dropping_pixels(factor, sigma, taps):
    """Sigmas and sizes of the published kernels; the blur here is a plain two-dimensional convolution."""
    axis = torch.arange(taps, dtype=torch.float64) - taps // 2
    kernel = torch.exp(-(axis[:, None].square() + axis.square()) / (2 * sigma**2))
    kernel = (kernel / kernel.sum()).float().expand(3, 1, -1, -1)
    picture = torch.rand(2, 3, 48, 72)
    expected = F.conv2d(picture, kernel, padding=taps // 2, groups=3)[..., ::factor, ::factor]
    torch.testing.assert_close(AntiAliasDownsample(factor)(picture), expected, rtol=1e-5, atol=1e-5)


def test_a_size_that_does_not_divide_is_rounded_up():
    assert AntiAliasDownsample(4)(torch.rand(1, 3, 10, 13)).shape == (1, 3, 3, 4)


def test_factor_one_passes_through():
    picture = torch.rand(1, 3, 8, 8)
    assert AntiAliasDownsample(1)(picture) is picture


def test_kernels_are_not_part_of_the_state():
    assert not ImagePyramid(4).state_dict()


def test_autocast_does_not_reach_it():
    picture, downsample = torch.rand(1, 3, 32, 32), AntiAliasDownsample(4)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(downsample(picture), downsample.float()(picture))
        assert downsample(picture.bfloat16()).dtype == torch.float32


@pytest.mark.parametrize(
    ("side", "sizes"),
    [(512, [512, 256, 128, 64]), (128, [128, 64, 32, 16]), (64, [64, 32, 16]), (48, [48, 24])],
)
def test_levels_under_sixteen_pixels_are_dropped(side, sizes):
    levels = ImagePyramid(4)(torch.rand(1, 3, side, side + 8))
    assert [level.shape[-2] for level in levels] == sizes
