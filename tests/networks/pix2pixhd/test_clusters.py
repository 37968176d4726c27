import numpy as np
import torch
from scipy.cluster.vq import kmeans2

from animate.networks.pix2pixhd import FeatureClusters
from animate.networks.pix2pixhd.clusters import k_means


def groups(count: int, each: int = 40) -> torch.Tensor:
    """Points around ``count`` centres that lie far apart."""
    centres = 10 * torch.eye(3)[:count]
    return (centres[:, None] + 0.3 * torch.randn(count, each, 3)).flatten(0, 1)


def test_k_means_ends_where_another_library_does():
    values = groups(3)
    ours = k_means(values, 3)
    theirs, _ = kmeans2(values.numpy().astype(np.float64), ours.numpy().astype(np.float64), minit="matrix")
    np.testing.assert_allclose(ours.numpy(), theirs, atol=1e-5)
    assert sorted(ours.round().argmax(dim=1).tolist()) == [0, 1, 2]
    shuffled = k_means(values[torch.randperm(len(values))], 3)
    np.testing.assert_allclose(sorted(ours.tolist()), sorted(shuffled.tolist()), atol=1e-5)


def test_fewer_values_than_clusters():
    assert k_means(torch.tensor([[1.0, 2.0]]), 4).tolist() == [[1.0, 2.0]]
    assert k_means(torch.ones(9, 2), 4).tolist() == [[1.0, 1.0]]
    assert k_means(torch.zeros(0, 2), 4).shape == (0, 2)


def scene() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Left half class 1 as two instances, right half class 2; a speck of class 3, too small to count."""
    label, instance = torch.full((1, 1, 16, 16), 2), torch.full((1, 1, 16, 16), 30)
    label[..., :8], instance[..., :8, :8], instance[..., 8:, :8] = 1, 10, 11
    label[..., 0, 15], instance[..., 0, 15] = 3, 40
    value = {10: -0.5, 11: 0.5, 30: 0.25, 40: 0.9}
    features = sum((instance == number) * torch.tensor([[[[of]], [[-of]]]]) for number, of in value.items())
    return features.float(), label, instance


def test_what_is_drawn_is_typical_of_the_class():
    clusters = FeatureClusters(labels=4, clusters=5, features=2)
    features, label, instance = scene()
    clusters.fit([(features, label, instance), (features, label, instance)])
    assert clusters.counts.tolist() == [0, 2, 1, 0]
    restored = FeatureClusters(labels=4, clusters=5, features=2)
    restored.load_state_dict(clusters.state_dict())
    seen = set()
    for seed in range(20):
        drawn = restored.sample(label, instance, torch.Generator().manual_seed(seed))
        assert drawn.shape == (1, 2, 16, 16)
        for number in (10, 11, 30, 40):
            values = {tuple(v) for v in drawn[0][:, instance[0, 0] == number].T.tolist()}
            assert len(values) == 1
            seen |= {(number, *values)}
    either = {(-0.5, 0.5), (0.5, -0.5)}
    assert seen == {(10, v) for v in either} | {(11, v) for v in either} | {
        (30, (0.25, -0.25)),
        (40, (0.0, 0.0)),
    }
