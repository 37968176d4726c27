"""Our networks and losses in float32 against golden vectors of the published implementation.

Gradients and optimisation steps: ``test_fomm_training.py``.

The published code leaves ``align_corners`` to the default of today's PyTorch (False); the published weights
were trained with True, and so are ours. ``outac`` values are with True; where only values with False exist,
``grid_sample`` is patched to False for the comparison.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import pytest
import torch
import torch.nn.functional as F
from fomm_cases import DISCRIMINATORS, FULL, NAMES, Case, read, read_discriminator
from fomm_training import TERMS, module_of, terms_of
from safetensors.torch import load_file

from animate.losses.perceptual import PerceptualLoss
from animate.networks.fomm import Discriminator
from animate.networks.fomm.dense_motion import heatmap_difference, sparse_motions
from animate.networks.vgg import vgg19_from_state
from animate.ops.grid import gaussian_maps, pixel_grid
from animate.ops.pyramid import ImagePyramid
from animate.ops.transform import RandomTransform

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor, nn

NETWORK, LOSS = 2e-5, 1e-4
worst: dict[tuple[str, str], tuple[float, float]] = {}


@pytest.fixture(scope="module", autouse=True)
def report() -> Iterator[None]:
    """Print the largest error of each comparison (pytest -s)."""
    yield
    for (case, what), (error, tolerance) in sorted(worst.items()):
        print(f"\n{case:16} {what:34} {error:.1e} of {tolerance:.1e}", end="")


@pytest.fixture(params=NAMES)
def case(request: pytest.FixtureRequest) -> Case:
    return cached_case(request.param)


@functools.cache
def cached_case(name: str) -> Case:
    return read(name)


@pytest.fixture
def corners_unaligned(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sample as today's default does, for values that were made so."""
    original = F.grid_sample

    def unaligned(*args: Tensor, align_corners: bool, **options: str) -> Tensor:
        assert align_corners is True
        return original(*args, align_corners=False, **options)

    monkeypatch.setattr(F, "grid_sample", unaligned)


def check(case: str, what: str, ours: Tensor, golden: Tensor, tolerance: float) -> None:
    """Compare, relative to the largest golden entry."""
    assert ours.shape == golden.shape, what
    error = ((ours - golden).abs().max() / golden.abs().max()).item()
    key = (case, what)
    worst[key] = max(worst.get(key, (0.0, 0.0)), (error, tolerance))
    assert error <= tolerance, f"{case} {what}: {error:.2e} > {tolerance:.2e}"


def check_network(case: Case, part: str, name: str, ours: Tensor, *, kind: str = "out") -> None:
    golden = case.tensors.get(f"{part}.{kind}.{name}")
    if golden is None:
        assert FULL is None or kind == "mid", f"no golden {part}.{kind}.{name}"
        return
    tolerance = max(NETWORK, 5 * case.noise(part, name))
    check(case.settings["name"], f"{part} {kind}.{name.split('.')[-1]}", ours, golden, tolerance)


def test_keypoint_detector(case: Case) -> None:
    detector = case.module().eval().networks.keypoint_detector
    seen: dict[str, Tensor] = {}
    parts: dict[str, nn.Module] = {
        "down": detector.downsample,
        "feature_map": detector.hourglass,
        "kp_logits": detector.heatmap,
    }
    if detector.jacobian is not None:
        parts["jacobian_map"] = detector.jacobian
    for name, part in parts.items():
        part.register_forward_hook(lambda _, __, out, name=name: seen.__setitem__(name, out))
    with torch.no_grad():
        keypoints = detector(case.tensors["losses.in.source"])
    for name, value in seen.items():
        check_network(case, "kp_detector", name, value, kind="mid")
    assert set(keypoints) == set(case.all("kp_detector.out."))
    for name, value in keypoints.items():
        check_network(case, "kp_detector", name, value)


def generator_inputs(case: Case) -> tuple[Tensor, dict[str, dict[str, Tensor]]]:
    inputs = {name: case.all(f"generator.in.{name}.") for name in ("kp_source", "kp_driving")}
    return case.tensors["losses.in.source"], inputs


def test_generator(case: Case) -> None:
    source, keypoints = generator_inputs(case)
    with torch.no_grad():
        animation = case.module().eval().networks.generator(source, **keypoints)
    for name, value in case.all("generator.outac.").items():
        check_network(case, "generator", name, animation[name.split(".")[1]], kind="outac")
        assert value.shape == animation[name.split(".")[1]].shape


@pytest.mark.usefixtures("corners_unaligned")
def test_generator_with_corners_unaligned(case: Case) -> None:
    source, keypoints = generator_inputs(case)
    generator = case.module().eval().networks.generator
    seen: dict[str, Tensor] = {}
    parts: dict[str, nn.Module] = {
        "dense_hourglass": generator.dense_motion.hourglass,
        "down_last": generator.down_blocks,
        "bottleneck": generator.bottleneck,
    }
    for name, part in parts.items():
        part.register_forward_hook(lambda _, __, out, name=name: seen.__setitem__(name, out))
    with torch.no_grad():
        animation = generator(source, **keypoints)
    size = tuple(animation["mask"].shape[-2:])
    seen["dense_sparse_motions"] = sparse_motions(size, **keypoints)
    seen["dense_heatmaps"] = heatmap_difference(size, **keypoints).unsqueeze(2)
    for name, value in seen.items():
        check_network(case, "generator", name, value, kind="mid")
    for name in case.all("generator.out."):
        check_network(case, "generator", name, animation[name.split(".")[1]])


@pytest.mark.parametrize("name", DISCRIMINATORS)
def test_discriminator(name: str) -> None:
    case = read_discriminator(name)
    for scale in case.scales:
        discriminator = Discriminator(**case.discriminator).eval()
        case.fill(discriminator, "discriminator.", scale)
        points = case.tensors.get("discriminator.in.kp.value")
        with torch.no_grad():
            judged = discriminator(case.tensors[f"discriminator.in.prediction_{scale}"], points)
        check_network(case, "discriminator", f"prediction_map_{scale}", judged.score)
        for index, feature in enumerate(judged.features):
            check_network(case, "discriminator", f"feature_maps_{scale}.{index}", feature)


def check_terms(
    case: Case, mode: str, terms: dict[str, Tensor], golden: dict[str, float], bound: float
) -> None:
    assert {TERMS.get(name, name) for name in golden} == set(terms)
    for name, value in golden.items():
        ours = terms[TERMS.get(name, name)].detach()
        check(case.settings["name"], f"loss {mode} {name}", ours, torch.tensor(value), bound)


def test_losses_in_evaluation(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    golden = case.facts["losses"]["values"]["eval_align_corners_true"]
    terms = terms_of(case, module_of(case).eval(), monkeypatch)
    check_terms(case, "eval, corners aligned", terms, golden, LOSS)


@pytest.mark.usefixtures("corners_unaligned")
@pytest.mark.parametrize("mode", ["eval", "train"])
def test_losses_with_corners_unaligned(case: Case, monkeypatch: pytest.MonkeyPatch, mode: str) -> None:
    terms = terms_of(case, module_of(case).train(mode == "train"), monkeypatch)
    check_terms(case, mode, terms, case.facts["losses"]["values"][mode], LOSS)


@pytest.mark.skipif(FULL is None, reason="ANIMATE_GOLDEN does not name the whole set")
class TestOperations:
    """Cases of single operations, of which the subset holds none: closed forms are tested in tests/ops."""

    def golden(self, name: str) -> dict[str, Tensor]:
        return load_file(FULL / f"{name}.safetensors")

    def test_pyramid(self) -> None:
        golden = self.golden("image_pyramide")
        levels = ImagePyramid(4, smallest=8)(golden["in.x"])
        for scale, level in zip((1, 0.5, 0.25, 0.125), levels, strict=True):
            check("pyramid", f"scale {scale}", level, golden[f"out.prediction_{scale}"], NETWORK)

    def test_transform(self) -> None:
        golden = self.golden("transform")
        transform = RandomTransform(golden["in.theta"], golden["in.control_params"].flatten(1))
        points = golden["in.coordinates"]
        check("transform", "points", transform.points(points), golden["out.warp_coordinates"], NETWORK)
        check("transform", "jacobian", transform.jacobian(points), golden["out.jacobian"], NETWORK)
        pictures = transform.picture(golden["in.frame"])
        check("transform", "picture", pictures, golden["outac.transform_frame"], NETWORK)

    def test_grid_and_gaussians(self) -> None:
        golden = self.golden("grid_gaussian")
        check("grid", "pixel grid", pixel_grid(64, 64), golden["out.grid"], NETWORK)
        for variance in (0.01, 0.1):
            maps = gaussian_maps(golden["in.value"], (32, 32), variance)
            check("grid", f"gaussian {variance}", maps, golden[f"out.gauss_{variance}"], NETWORK)

    @pytest.mark.usefixtures("corners_unaligned")
    def test_perceptual_loss_at_full_width(self, case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
        from torchvision.models import vgg19

        facts = case.facts["losses"]["full_vgg19"]
        torch.manual_seed(1234)
        state = {f"features.{key}": value for key, value in vgg19(weights=None).features.state_dict().items()}
        module = module_of(case).eval()
        module.perceptual = PerceptualLoss(
            vgg19_from_state(state), len(module.perceptual._pyramid.downsamples)
        )
        ours = terms_of(case, module, monkeypatch)["perceptual"].detach()
        check(
            case.settings["name"],
            "perceptual, full VGG19",
            ours,
            torch.tensor(facts["perceptual_eval"]),
            LOSS,
        )
