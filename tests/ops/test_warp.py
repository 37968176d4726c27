import pytest
import torch
import torch.nn.functional as F

from animate.ops.grid import pixel_grid
from animate.ops.warp import resize, warp, warp_each


def test_the_identity_changes_nothing():
    picture = torch.rand(2, 3, 6, 9)
    torch.testing.assert_close(warp(picture, pixel_grid(6, 9).expand(2, -1, -1, -1)), picture)


def test_a_shift_by_one_pixel_is_exact():
    picture = torch.rand(1, 3, 5, 5)
    grid = pixel_grid(5, 5).unsqueeze(0) + torch.tensor([0.5, 0.0])  # 2 / (5 - 1): one pixel to the right
    moved = warp(picture, grid)
    torch.testing.assert_close(moved[..., :-1], picture[..., 1:])
    assert moved[..., -1].abs().max() < 1e-6  # zeros beyond the border


def test_reflection_repeats_what_is_inside():
    picture = torch.rand(1, 1, 5, 5)
    grid = pixel_grid(5, 5).unsqueeze(0) + torch.tensor([0.5, 0.0])
    torch.testing.assert_close(warp(picture, grid, "reflection")[..., -1], picture[..., -2])


def test_many_fields_in_one_call_equal_many_calls():
    picture, fields = torch.rand(2, 3, 8, 8), torch.rand(2, 4, 5, 6, 2) * 2 - 1
    together = warp_each(picture, fields)
    assert together.shape == (2, 4, 3, 5, 6)
    for index in range(4):
        torch.testing.assert_close(together[:, index], warp(picture, fields[:, index]))


def test_half_precision_pictures_are_sampled_at_exact_places():
    picture, grid = torch.rand(1, 3, 64, 64), torch.rand(1, 64, 64, 2) * 2 - 1
    half = warp(picture.bfloat16(), grid)
    assert half.dtype == torch.bfloat16
    torch.testing.assert_close(half.float(), warp(picture.bfloat16().float(), grid), rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize("size", [(4, 4), (16, 12)])
def test_resize_aligns_areas_not_corners(size):
    picture = torch.rand(1, 2, 8, 8)
    expected = F.interpolate(picture, size=size, mode="bilinear", align_corners=False)
    torch.testing.assert_close(resize(picture, size), expected)
    assert resize(picture, (8, 8)) is picture
