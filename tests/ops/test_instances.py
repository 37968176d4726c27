import numpy as np
import torch

from animate.ops.instances import instance_edges, instance_means, number_instances, paint_instances


def test_edges_are_the_pixels_beside_another_instance():
    instance = torch.zeros(1, 1, 4, 5, dtype=torch.long)
    instance[..., 1:3, 3:] = 7
    expected = np.zeros((4, 5), bool)
    for y in range(4):
        for x in range(5):
            for dy, dx in ((0, 1), (1, 0), (0, -1), (-1, 0)):
                inside = 0 <= y + dy < 4 and 0 <= x + dx < 5
                if inside and instance[0, 0, y, x] != instance[0, 0, y + dy, x + dx]:
                    expected[y, x] = True
    assert expected.sum() not in (0, expected.size)
    assert np.array_equal(instance_edges(instance)[0, 0].numpy(), expected)


def test_one_number_in_two_pictures_is_two_instances():
    instance = torch.tensor([[0, 5, 5, -3], [5, 5, 5, 9]]).view(2, 1, 2, 2)
    numbered, count = number_instances(instance)
    assert count == 5
    assert numbered.flatten().tolist() == [1, 2, 2, 0, 3, 3, 3, 4]


def test_means_are_those_of_each_instance():
    generator = np.random.default_rng(0)
    values = generator.normal(size=(2, 3, 6, 7)).astype(np.float32)
    instance = generator.integers(-2, 30_000, size=(5,))[generator.integers(5, size=(2, 1, 6, 7))]
    numbered, count = number_instances(torch.from_numpy(instance))
    means, areas = instance_means(torch.from_numpy(values), numbered, count)
    painted = paint_instances(means, numbered).numpy()
    assert areas.sum() == 2 * 6 * 7
    for picture in range(2):
        for number in np.unique(instance[picture]):
            inside = instance[picture, 0] == number
            expected = values[picture][:, inside].mean(axis=1, keepdims=True)
            np.testing.assert_allclose(
                painted[picture][:, inside], expected.repeat(inside.sum(), 1), atol=1e-6
            )
