"""Our pix2pixHD against golden vectors of the published implementation, in float32; published sizes.

Optimisation steps: ``test_pix2pixhd_training.py``. Networks there work on [-1, 1], ours give pictures in
[0, 1]: results are brought back before they are compared.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from pix2pixhd_cases import DISCRIMINATORS, FULL, GENERATORS, Golden, there, translator_arguments

from animate.losses.adversarial import cross_entropy, generator_loss, least_squares
from animate.losses.feature_matching import multiscale_feature_matching_loss
from animate.losses.perceptual import PerceptualLoss
from animate.networks.pix2pixhd import Encoder, Generator, MultiscaleDiscriminator, Pix2PixHD
from animate.networks.vgg import vgg19_from_state

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor, nn

NETWORK, LOSS = 2e-5, 1e-4
VGG_WEIGHTS = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1.0)
errors: dict[tuple[str, str], tuple[float, float]] = {}


@pytest.fixture(scope="module", autouse=True)
def report() -> Iterator[None]:
    """Print the error of each comparison (pytest -s)."""
    yield
    for (case, what), (error, tolerance) in sorted(errors.items()):
        print(f"\n{case:28} {what:24} {error:.1e} of {tolerance:.1e}", end="")


def check(case: str, what: str, ours: Tensor, golden: Tensor, tolerance: float) -> None:
    """Compare, relative to the largest golden entry."""
    assert ours.shape == golden.shape, what
    error = ((ours - golden).abs().max() / golden.abs().max()).item()
    errors[case, what] = (error, tolerance)
    assert error <= tolerance, f"{case} {what}: {error:.2e} > {tolerance:.2e}"


def picture(x: Tensor) -> Tensor:
    return (x + 1) / 2


@pytest.mark.parametrize("name", there(GENERATORS))
def test_generator(name: str) -> None:
    case = Golden(name)
    options = translator_arguments(case.all("state."), "golden")
    with torch.no_grad():
        made = case.translator(Generator, **options)(case.tensors["in.x"])
    tolerance = max(NETWORK, 5 * case.facts["f64_noise"]["y"])
    check(name, "picture", 2 * made - 1, case.tensors["out.y"], tolerance)


def test_encoder() -> None:
    case = Golden("encoder")
    encoder = case.translator(Encoder, features=3, width=8, depth=2)
    with torch.no_grad():
        features = encoder(picture(case.tensors["in.x"]), case.tensors["in.inst"])
    check("encoder", "features", features, case.tensors["out.y"], NETWORK)


@pytest.mark.skipif(FULL is None, reason="ANIMATE_GOLDEN does not name the whole set")
@pytest.mark.parametrize("name", DISCRIMINATORS)
def test_discriminator(name: str) -> None:
    case, logits = Golden(name), "bce" in name
    network, nothing = case.discriminator(), torch.zeros(2, 0, 64, 64)
    with torch.no_grad():
        judged = {kind: network(nothing, picture(case.tensors[f"in.{kind}"])) for kind in ("real", "fake")}
    for kind, scales in judged.items():
        for i, scale in enumerate(scales):
            score = scale.score.sigmoid() if logits else scale.score
            given = [*scale.features, score] if "interm" in name else [score]
            for j, value in enumerate(given):
                check(name, f"{kind}.{i}.{j}", value, case.tensors[f"out.{kind}.{i}.{j}"], NETWORK)
    scores = {kind: [scale.score for scale in scales] for kind, scales in judged.items()}
    criterion = cross_entropy if logits else least_squares
    losses = {
        "real_True": generator_loss(scores["real"], criterion),
        "fake_True": generator_loss(scores["fake"], criterion),
        "fake_False": torch.stack([criterion(score, 0.0) for score in scores["fake"]]).sum(),
        "single_scale_real_True": generator_loss(scores["real"][0], criterion),
    }
    if "interm" in name:
        features = ([scale.features for scale in judged[kind]] for kind in ("fake", "real"))
        losses["G_GAN_Feat_lambda10"] = 10 * multiscale_feature_matching_loss(*features)
    assert set(losses) == set(case.facts["values"])
    for key, value in losses.items():
        check(name, key, value, torch.tensor(case.facts["values"][key]), LOSS)


@pytest.mark.skipif(FULL is None, reason="ANIMATE_GOLDEN does not name the whole set")
def test_perceptual_loss() -> None:
    case = Golden("vggloss")
    state = {f"features.{key.split('.', 1)[1]}": value for key, value in case.all("state.").items()}
    network = vgg19_from_state(state)
    made, goal = picture(case.tensors["in.x"]), picture(case.tensors["in.y"])
    for number, layer in enumerate(network(made, standardise=False), start=1):
        check("vggloss", f"relu{number}_1", layer, case.tensors[f"out.relu{number}_1"], NETWORK)
    loss = PerceptualLoss(network, 1, VGG_WEIGHTS, standardise=False)(made, goal)
    check("vggloss", "loss", loss, torch.tensor(case.facts["values"]["vgg"]), LOSS)


def sizes(network: nn.Module) -> tuple[int, int]:
    return sum(parameter.numel() for parameter in network.parameters()), len(network.state_dict())


def test_published_parameter_counts() -> None:
    with torch.device("meta"):
        assert sizes(Generator(18)) == (182_490_307, 56)
        assert sizes(Generator(36)) == (182_546_755, 56)
        assert sizes(Generator(36, enhancers=1)) == (182_857_059, 74)
        assert sizes(MultiscaleDiscriminator(18)) == (5_566_338, 20)
        assert sizes(Pix2PixHD(labels=18)) == (182_490_307, 56)
        assert sizes(Pix2PixHD(labels=35, edges=True, enhancers=1)) == (182_857_059, 74)
