"""Several optimisation steps of the published pix2pixHD against ours, in float64.

``pix2pixhd_steps.json`` tells how the published code was run. It updates the generator and then the
discriminator from one forward pass, with an Adam for each. Here one Adam takes the sum of all terms, the
discriminator frozen while the generator's are built: the same update.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import drawn
import pytest
import torch
from pix2pixhd_cases import CASES, STEPS, inputs, networks, published_parts, vgg

from animate.losses.adversarial import cross_entropy, generator_loss, least_squares
from animate.losses.feature_matching import multiscale_feature_matching_loss
from animate.losses.perceptual import PerceptualLoss
from animate.modules.optim import freeze, frozen
from animate.modules.pose2vid import Pose2Vid

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor, nn


EXACT, EXACT_STEP, FLOAT32 = 1e-9, 1e-5, 1e-4
LAMBDA = 10
GENERATOR = ("G_GAN", "G_GAN_Feat", "G_VGG")
TERMS = {"G_GAN": "generator_gan", "G_GAN_Feat": "feature_matching", "G_VGG": "perceptual"}
"""The module's names of the published terms; the discriminator's two are one there."""
VGG_WEIGHTS = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1.0)


@pytest.fixture
def double() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


class Run:
    """Our networks of one case, and the objective that the published code has."""

    def __init__(self, case: str) -> None:
        self.case, self.options = case, CASES[case]
        self.model, self.discriminator = networks(case)
        self.perceptual = PerceptualLoss(vgg(), 1, VGG_WEIGHTS, standardise=False)
        self.criterion = least_squares if self.options.get("least_squares", True) else cross_entropy
        if self.options.get("enhancers"):
            freeze(self.model, ["generator.trunk"])
        learning = [p for part in (self.model, self.discriminator) for p in part.parameters()]
        self.optimizer = torch.optim.Adam([p for p in learning if p.requires_grad], 2e-4, (0.5, 0.999))
        self.seen: dict[str, Tensor] = {}

    def terms(self, step: int) -> dict[str, Tensor]:
        """Build the losses of one step under their published names."""
        label, instance, picture = inputs(self.case, step)
        picture = picture.to(torch.get_default_dtype())
        condition = self.model.condition(label, instance)
        features = None if self.model.encoder is None else self.model.encoder(picture, instance)
        fake = self.model.generator(self.model.join(condition, features=features))
        judge = self.discriminator
        # In the published order, which batch norm's running statistics show.
        made, real = judge(condition, fake.detach()), judge(condition, picture)
        with frozen(judge):
            judged = judge(condition, fake)
        self.seen = {"fake": 2 * fake - 1} | ({} if features is None else {"features": features})
        for i, scale in enumerate(real):
            self.seen |= {f"real.{i}.{j}": value for j, value in enumerate([*scale.features, scale.score])}
        terms = {
            "G_GAN": generator_loss([scale.score for scale in judged], self.criterion),
            "D_real": generator_loss([scale.score for scale in real], self.criterion),
            "D_fake": torch.stack([self.criterion(scale.score, 0.0) for scale in made]).sum(),
        }
        if self.options.get("feature_matching", True):
            matched = ([scale.features for scale in scales] for scales in (judged, real))
            terms["G_GAN_Feat"] = LAMBDA * multiscale_feature_matching_loss(*matched)
        if self.options.get("perceptual", True):
            terms["G_VGG"] = LAMBDA * self.perceptual(fake, picture)
        return terms

    def objective(self, terms: dict[str, Tensor]) -> Tensor:
        weights = {name: 1.0 if name in GENERATOR else 0.5 for name in terms}
        return torch.stack([weights[name] * term for name, term in terms.items()]).sum()

    def update(self, terms: dict[str, Tensor]) -> None:
        self.optimizer.zero_grad()
        self.objective(terms).backward()
        self.optimizer.step()

    def named(self, kind: str) -> dict[str, Tensor]:
        """The gradients of all parameters, or the state, under published names."""
        found = {}
        for part, module, theirs in published_parts(self.case, self.model, self.discriminator):
            values = module.state_dict() if kind == "state" else gradients(module)
            found |= {f"{part}.{theirs[name]}": value.clone() for name, value in values.items()}
        return found


def gradients(module: nn.Module) -> dict[str, Tensor]:
    return {name: p.grad for name, p in module.named_parameters() if p.grad is not None}


def scale_of(golden: dict[str, Any], name: str) -> float:
    """Find the largest norm in a network: tensors that are zero but for rounding have none of their own."""
    part = name.split(".")[0]
    return max(norm for key, (norm, _) in golden.items() if key.split(".")[0] == part)


def check_fingerprints(golden: dict[str, Any], ours: dict[str, Tensor], bound: float) -> None:
    assert set(golden) <= set(ours)
    for name, expected in golden.items():
        for mine, theirs in zip(drawn.fingerprint(name, ours[name].detach()), expected, strict=True):
            assert abs(mine - theirs) <= bound * max(expected[0], 1e-3 * scale_of(golden, name)), name


@pytest.mark.parametrize("case", list(CASES))
@pytest.mark.usefixtures("double")
def test_first_step_outputs_and_gradients(case: str) -> None:
    run, golden = Run(case), STEPS["cases"][case]
    terms = run.terms(0)
    for name, expected in golden["outputs"].items():
        if not run.options.get("feature_matching", True) and name.startswith("real."):
            continue  # there the published network gives probabilities, and of its last layer only
        norm, projection = drawn.fingerprint(name, run.seen[name].detach())
        assert (norm, projection) == pytest.approx(expected, rel=EXACT, abs=EXACT * expected[0]), name
    run.objective(terms).backward()
    check_fingerprints(golden["gradients"], run.named("gradients"), EXACT)
    assert set(run.named("gradients")) == set(golden["gradients"])


@pytest.mark.parametrize("case", list(CASES))
@pytest.mark.parametrize("recompute", [False, True], ids=["kept", "recomputed"])
@pytest.mark.usefixtures("double")
def test_losses_and_changes_of_several_steps(case: str, recompute: bool) -> None:
    run, golden = Run(case), STEPS["cases"][case]
    run.model.recompute(recompute)
    before = run.named("state")
    for step, expected in enumerate(golden["losses"]):
        terms = run.terms(step)
        assert {name: term.item() for name, term in terms.items()} == pytest.approx(expected, rel=EXACT)
        run.update(terms)
    changes = {name: value - before[name] for name, value in run.named("state").items()}
    check_fingerprints(golden["changes"], changes, EXACT_STEP)
    counts = [value.item() for name, value in changes.items() if name.endswith("num_batches_tracked")]
    assert set(counts) <= {len(golden["losses"]), 3 * len(golden["losses"])}


@pytest.mark.parametrize("case", list(CASES))
def test_losses_of_several_steps_in_float32(case: str) -> None:
    run = Run(case)
    for step, expected in enumerate(STEPS["cases"][case]["losses"]):
        terms = run.terms(step)
        assert {name: term.item() for name, term in terms.items()} == pytest.approx(expected, rel=FLOAT32)
        run.update(terms)


@pytest.mark.parametrize("case", ["global", "local"])
@pytest.mark.usefixtures("double")
def test_the_lightning_module_takes_the_published_steps(case: str) -> None:
    run, golden = Run(case), STEPS["cases"][case]
    freeze = ["networks.generator.trunk"] if run.options.get("enhancers") else []
    module = Pose2Vid(run.model, run.discriminator, run.perceptual, freeze=freeze)
    optimizer = module.configure_optimizers()["optimizer"]
    before = run.named("state")
    for step, expected in enumerate(golden["losses"]):
        terms = module.training_terms(batch_of(case, step))
        ours = {name: terms[term].item() for name, term in TERMS.items()}
        assert ours == pytest.approx({name: expected[name] for name in TERMS}, rel=EXACT)
        both = (expected["D_real"] + expected["D_fake"]) / 2
        assert terms["discriminator_gan"].item() == pytest.approx(both, rel=EXACT)
        optimizer.zero_grad()
        torch.stack(list(terms.values())).sum().backward()
        optimizer.step()
    changes = {name: value - before[name] for name, value in run.named("state").items()}
    check_fingerprints(golden["changes"], changes, EXACT_STEP)


def batch_of(case: str, step: int) -> dict[str, Any]:
    """One frame of each sample, as the data module gives them."""
    label, instance, picture = inputs(case, step)
    batch = {"frames": picture, "label": label, "instance": instance}
    return {name: value.unsqueeze(1) for name, value in batch.items()}


@pytest.mark.parametrize("case", ["global", "local"])
def test_the_module_trains_as_published(case: str) -> None:
    """Its own terms, weights, groups and order of passes, against the losses of several steps."""
    model, discriminator = networks(case)
    perceptual = PerceptualLoss(vgg(), 1, VGG_WEIGHTS, standardise=False)
    freeze_patterns = ["networks.generator.trunk"] if CASES[case].get("enhancers") else []
    module = Pose2Vid(model, discriminator, perceptual, freeze=freeze_patterns)
    optimizer = module.configure_optimizers()["optimizer"]
    for step, golden in enumerate(STEPS["cases"][case]["losses"]):
        label, instance, picture = inputs(case, step)
        batch = {"frames": picture[:, None].float(), "label": label[:, None], "instance": instance[:, None]}
        terms = module.training_terms(batch)
        expected = {
            "generator_gan": golden["G_GAN"],
            "feature_matching": golden["G_GAN_Feat"],
            "perceptual": golden["G_VGG"],
            "discriminator_gan": (golden["D_real"] + golden["D_fake"]) / 2,
        }
        assert {name: term.item() for name, term in terms.items()} == pytest.approx(expected, rel=FLOAT32)
        optimizer.zero_grad()
        sum(terms.values()).backward()
        optimizer.step()
