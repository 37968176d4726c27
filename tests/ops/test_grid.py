import torch
import torch.nn.functional as F

from animate.ops.grid import affine_grid, gaussian_maps, pixel_axis, pixel_grid


def test_corner_pixels_are_at_one():
    grid = pixel_grid(3, 5)
    assert grid.shape == (3, 5, 2)
    torch.testing.assert_close(grid[0, 0], torch.tensor([-1.0, -1.0]))
    torch.testing.assert_close(grid[-1, -1], torch.tensor([1.0, 1.0]))
    torch.testing.assert_close(grid[1, 3], torch.tensor([0.5, 0.0]))  # x first


def test_axis_is_symmetric():
    axis = pixel_axis(64)
    torch.testing.assert_close(axis, -axis.flip(0))


def test_gaussians_equal_the_formula():
    points = torch.rand(2, 3, 2) * 2 - 1
    squared = (pixel_grid(7, 9) - points[:, :, None, None]).square().sum(-1)
    expected = torch.exp(-squared / (2 * 0.02))
    torch.testing.assert_close(gaussian_maps(points, (7, 9), 0.02), expected)


def test_affine_grid_is_torchs():
    maps = torch.randn(3, 2, 3, generator=torch.Generator().manual_seed(0))
    expected = F.affine_grid(maps, [3, 1, 5, 9], align_corners=True)
    torch.testing.assert_close(affine_grid(maps, 5, 9), expected, atol=1e-6, rtol=0)
