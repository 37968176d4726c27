from pathlib import Path

import pytest
import torch
from torchvision.models import vgg

from animate.errors import UserError
from animate.networks.vgg import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    vgg19_from_file,
    vgg19_from_state,
    vgg19_random,
)


@pytest.fixture(scope="module")
def torchvision_features() -> torch.nn.Sequential:
    torch.manual_seed(3)
    return vgg.make_layers(vgg.cfgs["E"], batch_norm=False).eval()


def test_features_equal_torchvisions(torchvision_features):
    state = {f"features.{key}": value for key, value in torchvision_features.state_dict().items()}
    picture = torch.rand(1, 3, 32, 32)
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (IMAGENET_MEAN, IMAGENET_STD))
    x, expected = (picture - mean) / std, {}
    with torch.no_grad():
        for number, layer in enumerate(torchvision_features):
            x = layer(x)
            expected[number] = x.clone()  # torchvision's ReLUs work in place
        ours = vgg19_from_state(state)(picture)
    for feature, number in zip(ours, (1, 6, 11, 20, 29), strict=True):
        torch.testing.assert_close(feature, expected[number], rtol=1e-4, atol=1e-5)


def test_random_weights_depend_on_their_seed_alone():
    torch.manual_seed(1)
    first = vgg19_random(5, 16)
    torch.manual_seed(2)
    before = torch.get_rng_state()
    second, other = vgg19_random(5, 16), vgg19_random(6, 16)
    drawn = [key for key in first.state_dict() if key.endswith("weight")]
    assert all(torch.equal(first.state_dict()[key], second.state_dict()[key]) for key in first.state_dict())
    assert not any(torch.equal(first.state_dict()[key], other.state_dict()[key]) for key in drawn)
    assert torch.equal(torch.get_rng_state(), before)


def test_random_weights_keep_the_scale_of_activations():
    scales = [
        feature.square().mean().sqrt().item() for feature in vgg19_random(0, 4)(torch.rand(4, 3, 64, 64))
    ]
    assert max(scales) / min(scales) < 10


def test_it_never_learns():
    network = vgg19_random(0, 16)
    assert not any(parameter.requires_grad for parameter in network.parameters())
    picture = torch.rand(1, 3, 16, 16, requires_grad=True)
    network(picture)[-1].sum().backward()
    assert picture.grad.abs().sum() > 0


def slim_state() -> dict[str, torch.Tensor]:
    state = vgg19_random(0, 16).state_dict()
    return {f"features.{key.removeprefix('convs.')}": value for key, value in state.items()}


def test_a_file_is_read_layers_beyond_aside(tmp_path: Path):
    state = slim_state()
    torch.save(
        state | {"features.30.weight": torch.zeros(1), "classifier.0.bias": torch.zeros(1)},
        tmp_path / "v.pth",
    )
    network = vgg19_from_file(tmp_path / "v.pth")
    assert torch.equal(network.convs["28"].weight, state["features.28.weight"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such file"),
        (b"not weights", "not a PyTorch weight file"),
        ([1, 2], "not a state dict"),
        ({"layer.weight": torch.zeros(3)}, "features.0.weight is missing"),
        ({**slim_state(), "features.5.weight": torch.zeros(1)}, "do not have VGG19's shapes"),
    ],
)
def test_other_files_are_refused_in_one_line(tmp_path: Path, content, message: str):
    path = tmp_path / "weights file.pth"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        torch.save(content, path)
    with pytest.raises(UserError, match=message) as caught:
        vgg19_from_file(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
