import torch

from animate.ops.matrix import invert_2x2, multiply_2x2, transform_2x2


def test_inverse_equals_the_general_one():
    matrix = torch.randn(4, 3, 2, 2, dtype=torch.float32) + 2 * torch.eye(2)
    torch.testing.assert_close(invert_2x2(matrix), torch.linalg.inv(matrix), rtol=1e-5, atol=1e-5)


def test_inverse_of_a_singular_matrix_is_not_finite():
    assert not invert_2x2(torch.ones(1, 2, 2)).isfinite().any()


def test_products_equal_the_general_ones():
    left, right, points = torch.randn(4, 3, 2, 2), torch.randn(4, 1, 2, 2), torch.randn(4, 3, 2)
    torch.testing.assert_close(multiply_2x2(left, right), left @ right)
    torch.testing.assert_close(transform_2x2(left, points), (left @ points.unsqueeze(-1)).squeeze(-1))


def test_autocast_does_not_reach_them():
    matrix, points = torch.randn(50, 2, 2) + 3 * torch.eye(2), torch.randn(50, 2)
    plain = invert_2x2(matrix), multiply_2x2(matrix, matrix), transform_2x2(matrix, points)
    with torch.autocast("cpu", torch.bfloat16):
        assert (matrix @ matrix).dtype == torch.bfloat16  # what would happen otherwise
        cast = invert_2x2(matrix), multiply_2x2(matrix, matrix), transform_2x2(matrix, points)
    for expected, value in zip(plain, cast, strict=True):
        assert torch.equal(expected, value)
