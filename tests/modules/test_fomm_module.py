import copy
from functools import partial

import pytest
import pytorch_lightning as pl
import torch
from fomm_parts import KEYPOINTS, batch, discriminator, module
from torch.utils.data import DataLoader

from animate.errors import UserError
from animate.losses.adversarial import discriminator_loss, generator_loss
from animate.losses.equivariance import equivariance_jacobian_loss, equivariance_value_loss
from animate.losses.feature_matching import feature_matching_loss
from animate.losses.perceptual import PerceptualLoss
from animate.modules.fomm import FOMM, LossWeights
from animate.networks.vgg import vgg19_random
from animate.ops.transform import RandomTransform
from small import networks


def total(terms) -> torch.Tensor:
    return torch.stack(list(terms.values())).sum()


def step(fomm: FOMM, optimizer, data) -> None:
    optimizer.zero_grad()
    total(fomm.training_terms(data)).backward()
    optimizer.step()


def published_step(fomm: FOMM, optimizers, data) -> None:
    """The published loop: one backward for generator and detector, then another for the discriminator."""
    source, driving = data["frames"].unbind(1)
    detector, judge = fomm.networks.keypoint_detector, fomm.discriminator
    kp_source, kp_driving = detector(source), detector(driving)
    fake = fomm.networks.generator(source, kp_source=kp_source, kp_driving=kp_driving)["prediction"]
    points = kp_driving["value"].detach()
    loss = 10 * fomm.perceptual(fake, driving)
    transform = RandomTransform.draw(data["seed"], fomm.transform, torch.device("cpu"))
    moved = detector(transform.picture(driving))
    loss = loss + 10 * equivariance_value_loss(kp_driving, moved, transform)
    loss = loss + 10 * equivariance_jacobian_loss(kp_driving, moved, transform)
    made, real = judge(fake, points), judge(driving, points)
    loss = loss + generator_loss(made.score) + 10 * feature_matching_loss(made.features, real.features)
    loss.backward()
    for name in ("generator", "keypoint_detector"):
        optimizers[name].step()
        optimizers[name].zero_grad()
    optimizers["discriminator"].zero_grad()
    made, real = judge(fake.detach(), points), judge(driving, points)
    discriminator_loss(real_score=real.score, fake_score=made.score).backward()
    optimizers["discriminator"].step()
    optimizers["discriminator"].zero_grad()


@pytest.mark.parametrize("spectral_norm", [True, False])
def test_one_optimiser_makes_the_same_steps_as_the_published_three(spectral_norm):
    judge = discriminator(spectral_norm=spectral_norm, condition_on_keypoints=True)
    ours = module(judge=judge)
    theirs = copy.deepcopy(ours)
    parts = {
        "generator": theirs.networks.generator,
        "keypoint_detector": theirs.networks.keypoint_detector,
        "discriminator": theirs.discriminator,
    }
    adam = partial(torch.optim.Adam, lr=2e-4, betas=(0.5, 0.999), fused=True)
    three = {name: adam(part.parameters()) for name, part in parts.items()}
    one = ours.configure_optimizers()["optimizer"]
    before = copy.deepcopy(ours.state_dict())
    for index in range(3):
        step(ours, one, batch(seed=index))
        published_step(theirs, three, batch(seed=index))
    expected = theirs.state_dict()
    unlike = {k: (v - expected[k]).abs().max().item() for k, v in ours.state_dict().items()}
    assert max(unlike.values()) == 0.0, unlike
    changed = [name for name, value in ours.state_dict().items() if not torch.equal(value, before[name])]
    assert len(changed) > 0.95 * len(before)


VARIANTS = {
    "without a discriminator": {},
    "all parts": {"judge": {}},
    "conditioned, spectral norm": {"judge": {"condition_on_keypoints": True, "spectral_norm": True}},
    "no jacobian": {"networks": {"jacobian": "none"}},
    "shared jacobian": {"networks": {"jacobian": "shared"}},
    "no occlusion": {"networks": {"occlusion": False}},
    "frozen detector": {"judge": {}, "freeze": ["networks.keypoint_detector"]},
    "frozen discriminator": {"judge": {}, "freeze": ["discriminator"]},
    "frozen dense motion": {"freeze": ["networks.generator.dense_motion.*"]},
}


def variant(name: str) -> FOMM:
    arguments = dict(VARIANTS[name])
    judge = discriminator(**arguments.pop("judge")) if "judge" in arguments else None
    return module(judge=judge, **arguments)


@pytest.mark.parametrize("name", VARIANTS)
def test_every_learning_parameter_gets_a_gradient(name):
    """What plain DDP demands; and no other parameter gets one."""
    fomm = variant(name)
    total(fomm.training_terms(batch())).backward()
    for key, parameter in fomm.named_parameters():
        assert (parameter.grad is not None) == parameter.requires_grad, key


@pytest.mark.parametrize("name", ["all parts", "conditioned, spectral norm", "frozen detector"])
def test_under_autocast_the_same_parameters_get_gradients(name):
    """Autocast keeps casts of weights: one made while the discriminator is frozen must not serve later."""
    fomm, plain = variant(name), variant(name)
    plain.load_state_dict(fomm.state_dict())
    with torch.autocast("cpu", torch.bfloat16):
        terms = fomm.training_terms(batch())
    total(terms).backward()
    for key, parameter in fomm.named_parameters():
        assert (parameter.grad is not None) == parameter.requires_grad, key
    for key, term in plain.training_terms(batch()).items():
        torch.testing.assert_close(terms[key].float(), term, rtol=0.1, atol=0.1)


def test_frozen_statistics_stand_still_after_synchronised_batch_norm_took_their_place():
    fomm = module(freeze=["networks.keypoint_detector.hourglass"])
    torch.nn.SyncBatchNorm.convert_sync_batchnorm(fomm)
    fomm.train()
    norms = {key: part for key, part in fomm.named_modules() if isinstance(part, torch.nn.SyncBatchNorm)}
    assert {key.startswith("networks.keypoint_detector") for key in norms} == {True, False}
    for key, part in norms.items():
        assert part.training != key.startswith("networks.keypoint_detector"), key


def test_a_discriminator_without_weight_is_not_kept():
    fomm = module(judge=discriminator(), loss_weights=LossWeights(generator_gan=0.0))
    assert fomm.discriminator is None
    assert set(fomm.training_terms(batch())) == {"perceptual", "equivariance_value", "equivariance_jacobian"}
    groups = fomm.configure_optimizers()["optimizer"].param_groups
    assert [group["name"] for group in groups] == ["keypoint_detector", "generator"]


def test_every_term_has_its_weight():
    plain = LossWeights(1, 1, 1, 1, 1, 1, 1)
    double = LossWeights(2, 3, 4, 5, 6, 7, 8)
    judge = discriminator()
    one, two = (module(judge=copy.deepcopy(judge), loss_weights=weights) for weights in (plain, double))
    two.load_state_dict(one.state_dict())
    first, second = one.training_terms(batch()), two.training_terms(batch())
    assert len(first) == 7
    for name, term in first.items():
        torch.testing.assert_close(second[name], getattr(double, name) * term)


def test_terms_of_weight_zero_are_left_out():
    weights = LossWeights(0, 1, 0, 0, 0, 0, 0)
    assert set(module(loss_weights=weights).training_terms(batch())) == {"reconstruction"}


def test_the_discriminators_own_term_reaches_nothing_else():
    fomm = module(judge=discriminator(condition_on_keypoints=True))
    fomm.training_terms(batch())["discriminator_gan"].backward()
    assert all(parameter.grad is None for parameter in fomm.networks.parameters())
    assert all(parameter.grad is not None for parameter in fomm.discriminator.parameters())


def test_the_generators_terms_leave_the_discriminator_alone():
    fomm = module(judge=discriminator())
    terms = fomm.training_terms(batch())
    (terms["generator_gan"] + terms["feature_matching"]).backward()
    assert all(parameter.grad is None for parameter in fomm.discriminator.parameters())
    assert all(parameter.requires_grad for parameter in fomm.discriminator.parameters())
    assert fomm.networks.generator.final.weight.grad.abs().sum() > 0


def test_loss_noise_depends_on_the_samples_seeds_alone():
    fomm = module().eval()
    data = batch()
    first = fomm.training_terms(data)
    torch.manual_seed(1234)
    again, other = fomm.training_terms(data), fomm.training_terms({**data, "seed": [5, 6]})
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["equivariance_value"], other["equivariance_value"])
    swapped = {**data, "frames": data["frames"].flip(0), "seed": data["seed"][::-1]}
    torch.testing.assert_close(
        fomm.training_terms(swapped)["equivariance_value"], first["equivariance_value"]
    )


def test_reconstruction_predicts_every_frame_from_the_first():
    fomm = module().eval()
    encoded = []
    fomm.networks.generator.first.register_forward_hook(lambda _, inputs, __: encoded.append(len(inputs[0])))
    data = batch(size=2, frames=4)
    with torch.no_grad():
        output = fomm.validation_step(data, 0)
        assert encoded == [2]  # each source once
        for b, t in [(0, 1), (0, 3), (1, 2)]:
            source, target = data["frames"][b, :1], data["frames"][b, t : t + 1]
            keypoints = {
                "kp_source": fomm.networks.keypoint_detector(source),
                "kp_driving": fomm.networks.keypoint_detector(target),
            }
            alone = fomm.networks.generator(source, **keypoints)
            n = 3 * b + t - 1
            torch.testing.assert_close(output["prediction"][n], alone["prediction"][0], rtol=1e-4, atol=1e-5)
            assert torch.equal(output["target"][n], target[0])
            assert torch.equal(output["source"][n], source[0])
            torch.testing.assert_close(output["target_keypoints"][n], keypoints["kp_driving"]["value"][0])
            torch.testing.assert_close(output["source_keypoints"][n], keypoints["kp_source"]["value"][0])
            slots = alone["sparse_deformed"][0, 1:]
            for k in range(KEYPOINTS):
                torch.testing.assert_close(output["pictures"][f"warp_{k}"][n], slots[k], rtol=1e-4, atol=1e-5)
    assert output["clip"] == ["clip 0"] * 3 + ["clip 1"] * 3
    assert {"deformed", "occlusion_map"} <= set(output["pictures"])
    assert all(len(picture) == 6 for picture in output["pictures"].values())


def test_state_holds_networks_and_discriminator_only():
    fomm = module(judge=discriminator(spectral_norm=True))
    prefixes = {".".join(name.split(".")[:2]) for name in fomm.state_dict() if name.startswith("networks")}
    assert prefixes == {"networks.keypoint_detector", "networks.generator"}
    assert {name.split(".")[0] for name in fomm.state_dict()} == {"networks", "discriminator"}
    assert not any("kernel" in name for name in fomm.state_dict())


def test_learning_rates_fall_at_the_milestones_group_by_group():
    settings = {
        "generator": {"lr": 1e-3, "betas": [0.5, 0.9]},
        "keypoint_detector": {"lr": 0.0, "betas": [0.5, 0.9]},
        "discriminator": {"lr": 1e-4, "betas": [0.0, 0.9]},
    }
    fomm = module(judge=discriminator(), optimizer=settings, milestones=[1, 2], gamma=0.5)
    configured = fomm.configure_optimizers()
    optimizer, scheduler = configured["optimizer"], configured["lr_scheduler"]["scheduler"]
    assert configured["lr_scheduler"]["interval"] == "epoch"
    for factor in (1.0, 0.5, 0.25, 0.25):
        rates = {group["name"]: group["lr"] for group in optimizer.param_groups}
        assert rates == pytest.approx({name: factor * value["lr"] for name, value in settings.items()})
        optimizer.step()
        scheduler.step()
    assert optimizer.param_groups[2]["betas"] == (0.0, 0.9)


def test_lightning_trains_validates_and_tests_it():
    fomm = module(judge=discriminator(), freeze=["networks.keypoint_detector"])
    loader = DataLoader([batch(), batch(seed=1)], batch_size=None)
    trainer = pl.Trainer(
        max_epochs=1, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, gradient_clip_val=1.0,
    )  # fmt: skip
    before = copy.deepcopy(fomm.state_dict())
    trainer.fit(fomm, loader, loader)
    assert trainer.global_step == 2  # one optimiser: a batch is a step
    assert {"train/loss", "train/perceptual", "train/discriminator_gan"} <= set(trainer.callback_metrics)
    trainer.test(fomm, loader, verbose=False)
    for name, value in fomm.state_dict().items():
        if name.startswith("networks.keypoint_detector."):
            assert torch.equal(value, before[name]), name
        elif name.endswith("running_mean"):
            assert not torch.equal(value, before[name]), name


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"loss_weights": LossWeights()}, "model.discriminator is missing"),
        ({"perceptual": None}, "model.perceptual is missing"),
        ({"optimizer": {"genrator": {"lr": 1.0, "betas": (0, 0)}}}, "model.optimizer names genrator"),
        ({"optimizer": {"generator": {"lr": 1.0, "betas": (0, 0)}}}, "no settings for keypoint_detector"),
        ({"freeze": ["networks.kp_detector"]}, "matches no parameter"),
        ({"freeze": ["*"]}, "nothing to learn"),
    ],
)
def test_what_cannot_be_trained_is_refused_in_one_line(arguments, message):
    defaults = {
        "loss_weights": LossWeights(generator_gan=0.0),
        "perceptual": PerceptualLoss(vgg19_random(0, 32), 1),
    }
    with pytest.raises(UserError, match=message) as caught:
        FOMM(networks(), **(defaults | arguments)).configure_optimizers()
    assert "\n" not in str(caught.value)
