"""LPIPS and the Inception network from files of random weights in the published layouts."""

from __future__ import annotations

import dataclasses
import hashlib
import sys
from pathlib import Path

import lpips
import pytest
import torch
import torch.nn.functional as F
from torch_fidelity import feature_extractor_inceptionv3 as fidelity
from torchvision.models import alexnet, vgg

from animate.checkpoints import feature_networks, weights
from animate.checkpoints.feature_networks import inception_features, lpips_distance
from animate.errors import UserError

HEADS = Path(lpips.__file__).parent / "weights" / "v0.1"
#: The layers of torchvision's ``features`` after whose ReLU LPIPS looks, from its paper's code.
TAPS = {"alex": (1, 4, 7, 9, 11), "vgg": (3, 8, 15, 22, 29)}


def backbone(net: str) -> torch.nn.Sequential:
    torch.manual_seed(5)
    return alexnet(weights=None).features if net == "alex" else vgg.make_layers(vgg.cfgs["D"])


@pytest.fixture
def publish(tmp_path, monkeypatch):
    """Put a state dict where the weights table looks for the file of a row."""
    monkeypatch.setenv(weights.FOLDER_VARIABLE, str(tmp_path))

    def put(row: str, state: dict) -> Path:
        path = tmp_path / weights.WEIGHTS[row].file_name
        torch.save(state, path)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        known = dataclasses.replace(weights.WEIGHTS[row], sha256=digest, size=path.stat().st_size)
        monkeypatch.setattr(weights, "WEIGHTS", {**weights.WEIGHTS, row: known})
        return path

    return put


def lpips_by_formula(
    features: torch.nn.Sequential, net: str, x: torch.Tensor, y: torch.Tensor
) -> list[float]:
    """Zhang et al. (2018), eq. 1, on torchvision's layers with the heads that the lpips package ships."""
    heads = torch.load(HEADS / f"{net}.pth", map_location="cpu", weights_only=True)
    shift = torch.tensor([-0.030, -0.088, -0.188]).view(3, 1, 1)
    scale = torch.tensor([0.458, 0.448, 0.450]).view(3, 1, 1)
    x, y = ((2 * picture - 1 - shift) / scale for picture in (x, y))
    distance = torch.zeros(len(x))
    for number, layer in enumerate(features[: TAPS[net][-1] + 1]):
        x, y = layer(x).clone(), layer(y).clone()  # torchvision's ReLUs work in place
        if number in TAPS[net]:
            weight = heads[f"lin{TAPS[net].index(number)}.model.1.weight"]
            difference = F.normalize(x, dim=1, eps=1e-10) - F.normalize(y, dim=1, eps=1e-10)
            distance += (weight * difference**2).sum(1).flatten(1).mean(1)
    return distance.tolist()


@pytest.mark.parametrize(("net", "row"), [("alex", "alexnet"), ("vgg", "vgg16")])
@torch.no_grad()
def test_lpips_is_its_papers_formula_over_the_backbone_of_the_table(publish, net, row) -> None:
    features = backbone(net)
    state = {f"features.{key}": value for key, value in features.state_dict().items()}
    publish(row, {**state, "classifier.6.bias": torch.zeros(3)})
    before = torch.get_rng_state()
    distance = lpips_distance(net)
    assert torch.equal(torch.get_rng_state(), before)
    assert distance.backend.endswith(f" v0.1 {net}")
    x, y = torch.rand(2, 2, 3, 40, 36)
    found = distance(x, y)
    assert found.tolist() == pytest.approx(lpips_by_formula(features, net, x, y), rel=1e-4)
    assert distance(x, x).tolist() == [0, 0]
    smallest = feature_networks.SMALLEST_SIDE[net]
    assert distance(x[..., :smallest, :smallest], y[..., :smallest, :smallest]).isfinite().all()
    with pytest.raises(UserError, match=f"at least {smallest} px a side, not 36x{smallest - 1}"):
        distance(x[..., : smallest - 1, :], y[..., : smallest - 1, :])


def test_another_networks_file_is_refused(publish) -> None:
    path = publish("alexnet", {"features.0.weight": torch.zeros(3)})
    with pytest.raises(UserError, match="another network's weights") as refused:
        lpips_distance("alex")
    assert str(path) in str(refused.value)
    publish("fid_inception", {"fc.weight": torch.zeros(3)})
    with pytest.raises(UserError, match="another network's weights"):
        inception_features()


@pytest.mark.parametrize(
    ("build", "metric"), [(lambda: lpips_distance("vgg"), "lpips_vgg"), (inception_features, "fid")]
)
def test_weights_that_cannot_be_had_are_one_line(tmp_path, monkeypatch, build, metric) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv(weights.FOLDER_VARIABLE, raising=False)
    rows = {
        name: dataclasses.replace(row, address="http://127.0.0.1:9/x")
        for name, row in weights.WEIGHTS.items()
    }
    monkeypatch.setattr(weights, "WEIGHTS", rows)
    with pytest.raises(UserError, match=f"cannot download .*leave {metric}") as refused:
        build()
    assert "\n" not in str(refused.value)


def test_without_torch_fidelity_the_extra_is_named(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "torch_fidelity.feature_extractor_inceptionv3", None)
    with pytest.raises(UserError, match=r"pip install 'animate\[fidelity\]'"):
        inception_features()


def test_inception_features_are_torch_fidelitys(publish, monkeypatch) -> None:
    with monkeypatch.context() as patch:  # random weights, not a download
        patch.setattr(fidelity, "load_state_dict_from_url", lambda *_args, **_kwargs: {})
        patch.setattr(fidelity.FeatureExtractorInceptionV3, "load_state_dict", lambda *_args: None)
        truth = fidelity.FeatureExtractorInceptionV3("truth", ["2048"])
    publish("fid_inception", truth.state_dict())
    network = inception_features()
    eight_bits = torch.randint(0, 256, (2, 3, 20, 24), dtype=torch.uint8)
    found = network(eight_bits.float() / 255)
    torch.testing.assert_close(found, truth(eight_bits)[0], rtol=1e-5, atol=1e-6)
    assert found.shape == (2, network.size)
    assert found[0].ne(found[1]).any()
    assert network.backend.startswith("torch-fidelity ")
