import torch
from torch.func import jacrev, vmap

from animate.ops.grid import gaussian_maps, pixel_grid
from animate.ops.transform import RandomTransform, TransformNoise

CPU = torch.device("cpu")
STRONG = TransformNoise(sigma_affine=0.1, sigma_tps=0.02)


def test_jacobian_equals_automatic_differentiation():
    transform, points = RandomTransform.draw([1, 2], STRONG, CPU), torch.rand(2, 6, 2) * 2 - 1
    for sample in range(2):
        one = RandomTransform(transform.affine[sample : sample + 1], transform.weights[sample : sample + 1])
        automatic = vmap(jacrev(lambda z, one=one: one.points(z.view(1, 1, 2)).view(2)))(points[sample])
        torch.testing.assert_close(transform.jacobian(points)[sample], automatic, rtol=1e-4, atol=1e-5)


def test_jacobian_itself_can_be_differentiated():
    """The equivariance loss sends a gradient through it into the keypoints."""
    transform = RandomTransform.draw([3], STRONG, CPU)
    points = (torch.rand(1, 4, 2) * 2 - 1).requires_grad_()
    transform.jacobian(points).square().sum().backward()
    step = 1e-3
    numeric = torch.zeros_like(points)
    for index in range(points.numel()):
        shift = torch.zeros(points.numel())
        shift[index] = step
        ahead, behind = (transform.jacobian(points.detach() + s * shift.view_as(points)) for s in (1, -1))
        numeric.view(-1)[index] = (ahead.square().sum() - behind.square().sum()) / (2 * step)
    torch.testing.assert_close(points.grad, numeric, rtol=2e-2, atol=2e-2)


def test_without_noise_it_is_the_identity():
    transform = RandomTransform.draw([5], TransformNoise(0.0, 0.0), CPU)
    picture, points = torch.rand(1, 3, 16, 16), torch.rand(1, 4, 2) * 2 - 1
    assert transform.weights is None
    torch.testing.assert_close(transform.points(points), points)
    torch.testing.assert_close(transform.picture(picture), picture)
    torch.testing.assert_close(transform.jacobian(points), torch.eye(2).expand(1, 4, 2, 2))


def test_a_sample_depends_on_its_own_seed_only():
    together, alone = RandomTransform.draw([7, 8, 9], STRONG, CPU), RandomTransform.draw([8], STRONG, CPU)
    assert torch.equal(together.affine[1:2], alone.affine)
    assert torch.equal(together.weights[1:2], alone.weights)
    assert not torch.equal(together.affine[0], together.affine[1])


def test_noise_has_the_stated_strength():
    transform = RandomTransform.draw(list(range(2000)), TransformNoise(0.05, 0.005), CPU)
    noise = transform.affine - torch.eye(2, 3)
    assert abs(noise.std() - 0.05) < 0.002
    assert abs(transform.weights.std() - 0.005) < 0.0002
    correlation = torch.corrcoef(torch.stack([noise[:, 0, 0], transform.weights[:, 0]]))[0, 1]
    assert abs(correlation) < 0.1  # two streams


def test_the_deformed_picture_shows_at_z_what_the_picture_shows_at_t_of_z():
    transform = RandomTransform.draw([11], TransformNoise(), CPU)
    places = torch.tensor([[[-0.4, 0.3], [0.2, -0.5]]])
    blobs = gaussian_maps(transform.points(places), (65, 65), 0.002)
    deformed = transform.picture(blobs)
    weights = deformed / deformed.sum(dim=(-2, -1), keepdim=True)
    peaks = (weights.unsqueeze(-1) * pixel_grid(65, 65)).sum(dim=(2, 3))
    torch.testing.assert_close(peaks, places, rtol=0, atol=0.01)


def test_autocast_does_not_reach_it():
    transform, points = RandomTransform.draw([1], STRONG, CPU), torch.rand(1, 5, 2)
    plain = transform.points(points), transform.jacobian(points)
    with torch.autocast("cpu", torch.bfloat16):
        cast = transform.points(points), transform.jacobian(points)
    assert all(torch.equal(a, b) for a, b in zip(plain, cast, strict=True))
