"""The inpainting module: its objective written out, what it returns, freezing, and that it learns."""

from __future__ import annotations

import pytest
import pytorch_lightning as pl
import torch

from animate.errors import UserError
from animate.modules.inpainting import Inpainting, InpaintingWeights, hole_loss
from animate.modules.optim import AdamSettings
from animate.networks.inpainting import BackgroundInpainter, GlobalLocalDiscriminator, masked

SIDE = 32


def batch_of(count=3, frames=2, seed=0):
    """Ramps of two colours, with a square hole."""
    rng = torch.Generator().manual_seed(seed)
    ends = torch.rand(count, 1, 3, 2, 1, 1, generator=rng)
    across = torch.linspace(0, 1, SIDE)
    scene = ends[..., 0, :, :] * across + ends[..., 1, :, :] * (1 - across[:, None])
    hole = torch.zeros(count, frames, 1, SIDE, SIDE)
    hole[..., 8:20, 10:22] = 1
    return {
        "frames": (scene / 2).expand(-1, frames, -1, -1, -1).clone(),
        "hole_mask": hole,
        "clip": [f"clip{n}" for n in range(count)],
        "frame_index": torch.arange(frames).expand(count, -1),
        "seed": list(range(count)),
    }


@pytest.fixture
def networks():
    torch.manual_seed(0)
    return BackgroundInpainter("impersonator", (8, 12), 1, SIDE)


@pytest.fixture
def discriminator():
    torch.manual_seed(1)
    return GlobalLocalDiscriminator(width=4, layers=2)


def perceptual(made, real):
    return (made - real).square().mean()


def rms(made, true, hole):
    """Over the pixels of a hole."""
    return torch.linalg.vector_norm((made - true)[:, hole[0] > 0]) / (3 * hole.sum()).sqrt()


def test_the_objective_is_the_published_sum(networks, discriminator):
    weights = InpaintingWeights(perceptual=10, reconstruction=10, hole=3, hole_rms=4, face=5)
    module = Inpainting(networks, discriminator, perceptual, lambda a, b: (a - b).abs().max(), weights)
    batch = batch_of()
    true, hole = batch["frames"].flatten(0, 1), batch["hole_mask"].flatten(0, 1)
    with torch.no_grad():
        terms = module.training_terms(batch)
        made = networks.background(masked(true, hole))
        fake, real = ([j.score for j in discriminator(p, hole, true)] for p in (made, true))
    expected = {
        "perceptual": 10 * perceptual(made, true),
        "reconstruction": 10 * (2 * made - 2 * true).abs().mean(),
        "hole": 3 * (2 * made - 2 * true).abs()[hole.expand_as(made) > 0].mean(),
        "hole_rms": 4 * torch.stack([2 * rms(*one) for one in zip(made, true, hole, strict=True)]).mean(),
        "face": 5 * (made - true).abs().max(),
        "generator_gan": sum((score - 0).square().mean() for score in fake),
        "discriminator_gan": sum((s - 1).square().mean() for s in real)
        + sum((s + 1).square().mean() for s in fake),
    }
    assert terms.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(terms[name], value, rtol=1e-5, atol=1e-7)


def test_each_side_learns_from_its_own_terms(networks, discriminator):
    module = Inpainting(networks, discriminator, None, None, InpaintingWeights(perceptual=0))
    terms = module.training_terms(batch_of())
    mine, theirs = ([*part.parameters()] for part in (networks, discriminator))
    assert all(
        g is None
        for g in torch.autograd.grad(terms["generator_gan"], theirs, retain_graph=True, allow_unused=True)
    )
    assert all(g is None for g in torch.autograd.grad(terms["discriminator_gan"], mine, allow_unused=True))


def test_parts_without_a_weight_are_left_out(networks, discriminator):
    weights = InpaintingWeights(perceptual=0, generator_gan=0)
    module = Inpainting(networks, discriminator, None, None, weights)
    assert module.discriminator is None
    assert list(module.training_terms(batch_of())) == ["reconstruction"]
    with pytest.raises(UserError, match="discriminator is missing"):
        Inpainting(networks, None, None, None, InpaintingWeights(perceptual=0))
    with pytest.raises(UserError, match="face is missing"):
        Inpainting(networks, None, None, None, InpaintingWeights(perceptual=0, generator_gan=0, face=5))


def test_no_hole_costs_nothing():
    pictures = torch.rand(2, 3, 4, 4)
    assert hole_loss(pictures, pictures + 1, torch.zeros(2, 1, 4, 4)) == 0


def test_rates_fall_from_2e_4_to_2e_6(networks, discriminator):
    module = Inpainting(networks, discriminator, None, None, InpaintingWeights(perceptual=0))
    made = module.configure_optimizers()
    scheduler, rates = made["lr_scheduler"]["scheduler"], []
    for _ in range(32):
        rates.append([group["lr"] for group in made["optimizer"].param_groups])
        made["optimizer"].step()
        scheduler.step()
    assert rates[0] == rates[5] == [2e-4, 2e-4]
    assert rates[5] > rates[6] > rates[29] > rates[30]
    assert rates[30] == pytest.approx([2e-6, 2e-6])
    assert rates[31] == rates[30]
    assert rates[6][0] == pytest.approx(2e-4 - (2e-4 - 2e-6) / 25)


def test_reconstruction_keeps_what_is_known(networks):
    module = Inpainting(networks, None, None, None, InpaintingWeights(perceptual=0, generator_gan=0)).eval()
    batch = batch_of(frames=3)
    with torch.no_grad():
        output = module.validation_step(batch, 0)
    assert output["prediction"].shape == output["target"].shape == (6, 3, SIDE, SIDE)
    assert output["clip"] == ["clip0", "clip0", "clip1", "clip1", "clip2", "clip2"]
    assert output["frame"] == [1, 2] * 3
    around = (output["mask"] == 0).expand(-1, 3, -1, -1)
    assert torch.equal(output["prediction"][around], output["target"][around])
    assert (output["source"][~around] == 0).all()
    with torch.no_grad():
        made = networks.background(masked(output["target"], output["mask"]))
    assert torch.equal(output["prediction"][~around], made[~around])


class Batches(torch.utils.data.Dataset):
    def __init__(self, count):
        self.count = count

    def __len__(self):
        return self.count

    def __getitem__(self, number):
        return batch_of(4, 1, seed=number)


def fitted(module, steps, tmp_path):
    trainer = pl.Trainer(
        max_steps=steps,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=tmp_path,
    )
    trainer.fit(module, torch.utils.data.DataLoader(Batches(steps), batch_size=None))
    return trainer


def test_it_learns_to_fill_ramps(networks, tmp_path):
    weights = InpaintingWeights(perceptual=0, hole=10, generator_gan=0)
    settings = {"background": AdamSettings(lr=5e-3, betas=(0.5, 0.999))}
    module = Inpainting(networks, None, None, None, weights, settings)

    def error():
        batch = batch_of(8, 1, seed=1000)
        true, hole = batch["frames"][:, 0], batch["hole_mask"][:, 0]
        with torch.no_grad():
            return hole_loss(networks.background(masked(true, hole)), true, hole).item()

    before = error()
    fitted(module, 60, tmp_path)
    assert error() < 0.4 * before


def test_frozen_parts_are_bit_equal_after_training(networks, discriminator, tmp_path):
    weights = InpaintingWeights(perceptual=0)
    module = Inpainting(
        networks, discriminator, None, None, weights, freeze=["networks.background.downs", "*.stem.conv.*"]
    )
    before = {key: value.clone() for key, value in module.state_dict().items()}
    fitted(module, 3, tmp_path)
    for key, value in module.state_dict().items():
        frozen = key.startswith("networks.background.downs") or ".stem.conv." in key
        assert torch.equal(value, before[key]) == frozen, key


def test_the_share_of_the_holes_is_logged(networks):
    logged = {}
    module = Inpainting(networks, None, None, None, InpaintingWeights(perceptual=0, generator_gan=0))
    module.log = lambda name, value, **_: logged.update({name: float(value)})
    module.training_terms(batch_of())
    assert logged["train/hole_share"] == pytest.approx(144 / SIDE**2)
