"""The matting module: its objective written out, what it logs, and that it learns."""

from __future__ import annotations

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from skimage.metrics import structural_similarity

from animate.errors import UserError
from animate.losses.matting import boundary_weight, cross_entropy, iou_loss, ssim_loss
from animate.modules.matting import MatteWeights, Matting, max_f_measure
from animate.networks.u2net import U2NetMatting, normalised

SIDE = 32


def batch_of(count=4, frames=1, seed=0):
    """Discs in colour over noise."""
    rng = torch.Generator().manual_seed(seed)
    y, x = torch.linspace(-1, 1, SIDE)[:, None], torch.linspace(-1, 1, SIDE)
    places = torch.rand(count, frames, 2, generator=rng) - 0.5
    inside = torch.hypot(x - places[..., 0, None, None], y - places[..., 1, None, None]) < 0.5
    mask = inside.float()[:, :, None]
    noise = torch.rand(count, frames, 3, SIDE, SIDE, generator=rng)
    colour = torch.tensor([0.9, 0.3, 0.1])[:, None, None]
    return {
        "frames": (1 - mask) * noise + mask * colour,
        "person_mask": mask,
        "clip": [f"clip{n}" for n in range(count)],
        "frame_index": torch.arange(frames).expand(count, -1),
        "seed": list(range(count)),
    }


@pytest.fixture
def networks():
    torch.manual_seed(0)
    return U2NetMatting(width=4, image_size=SIDE)


def test_the_published_objective_is_the_cross_entropy_of_seven_maps(networks):
    module, batch = Matting(networks).eval(), batch_of()
    with torch.no_grad():
        terms = module.training_terms(batch)
        maps = networks.matting(normalised(batch["frames"][:, 0]))
    expected = sum(F.binary_cross_entropy(one, batch["person_mask"][:, 0]) for one in maps)
    assert list(terms) == ["cross_entropy"]
    torch.testing.assert_close(terms["cross_entropy"], expected, rtol=1e-5, atol=0)


def test_the_other_terms_are_weighted_sums_over_the_maps(networks):
    module = Matting(networks, MatteWeights(0, 2.0, 3.0, 5.0)).eval()
    batch = batch_of()
    target = batch["person_mask"][:, 0]
    with torch.no_grad():
        terms = module.training_terms(batch)
        maps = networks.matting(normalised(batch["frames"][:, 0]))
    weight = boundary_weight(target, 5.0)
    torch.testing.assert_close(terms["iou"], 2 * sum(iou_loss(one, target, weight) for one in maps))
    torch.testing.assert_close(terms["ssim"], 3 * sum(ssim_loss(one, target) for one in maps))
    assert set(terms) == {"iou", "ssim"}


def test_losses_are_those_of_their_formulas():
    rng = np.random.default_rng(0)
    logits, goal, weight = rng.normal(size=(2, 1, 9, 9)), rng.random((2, 1, 9, 9)), rng.random((2, 1, 9, 9))
    matte = 1 / (1 + np.exp(-logits))
    entropy = -(goal * np.log(matte) + (1 - goal) * np.log(1 - matte))
    a, b, w = (torch.from_numpy(values) for values in (logits, goal, weight))
    assert cross_entropy(a, b).item() == pytest.approx(entropy.mean())
    each = [(entropy[n] * weight[n]).sum() / weight[n].sum() for n in range(2)]
    assert cross_entropy(a, b, w).item() == pytest.approx(np.mean(each))
    both, either = matte * goal, matte + goal - matte * goal
    each = [1 - (both[n].sum() + 1) / (either[n].sum() + 1) for n in range(2)]
    assert iou_loss(a.sigmoid(), b).item() == pytest.approx(np.mean(each))
    assert iou_loss(torch.zeros(1, 1, 4, 4), torch.zeros(1, 1, 4, 4)) == 0


def test_ssim_is_that_of_scikit_image():
    rng = np.random.default_rng(1)
    a, b = rng.random((2, 40, 44))
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 1.0}
    _, whole = structural_similarity(a, b, full=True, **options)
    found = ssim_loss(torch.from_numpy(a)[None, None], torch.from_numpy(b)[None, None]).item()
    assert found == pytest.approx(1 - whole.mean(), abs=2e-2)  # they differ at the borders
    assert ssim_loss(torch.from_numpy(a)[None, None], torch.from_numpy(a)[None, None]).item() < 1e-6


def test_boundaries_weigh_more():
    target = torch.zeros(1, 1, 64, 64)
    target[..., 32:] = 1
    weight = boundary_weight(target, 5.0, 11)
    assert weight[0, 0, 32, [0, 20, 43, 63]].tolist() == [1, 1, 1, 1]
    assert weight[0, 0, 32, 31].item() == pytest.approx(1 + 5 * 5 / 11)
    assert torch.equal(boundary_weight(torch.ones(1, 1, 8, 8), 5.0), torch.ones(1, 1, 8, 8))


def test_max_f_is_the_best_over_thresholds():
    rng = np.random.default_rng(2)
    truth = rng.random(500) < 0.3
    score = np.round(np.clip(0.4 * truth + 0.8 * rng.random(500), 0, 1) * 255) / 255
    taken = score >= np.arange(256)[:, None] / 255 - 1e-6
    hits = (taken & truth).sum(1)
    precision, recall = hits / np.maximum(taken.sum(1), 1), hits / truth.sum()
    expected = (1.3 * precision * recall / (0.3 * precision + recall + 1e-12)).max()
    module = Matting(U2NetMatting(width=4))
    module.scores.update(torch.from_numpy(score).float(), torch.from_numpy(truth).long())
    found = module.scores.compute()
    assert max_f_measure(*found["curve"][:2]).item() == pytest.approx(expected, abs=2e-3)
    union = ((score > 0.5) | truth).sum()
    assert found["iou"].item() == pytest.approx(((score > 0.5) & truth).sum() / union)


def test_maps_without_any_figure_have_no_f_measure_but_zero():
    module = Matting(U2NetMatting(width=4))
    module.scores.update(torch.zeros(9), torch.zeros(9).long())
    assert max_f_measure(*module.scores.compute()["curve"][:2]) == 0


def test_what_validation_returns_keeps_the_contract(networks):
    module, batch = Matting(networks).eval(), batch_of(count=2, frames=3)
    with torch.no_grad():
        output = module.reconstruct(batch)
        expected = networks.matting(normalised(batch["frames"][:, 1:].flatten(0, 1)))[0]
    assert (
        output["prediction"].shape == output["target"].shape == output["source"].shape == (4, 3, SIDE, SIDE)
    )
    torch.testing.assert_close(output["prediction"][:, 2:], expected)
    assert torch.equal(output["target"][:, :1], batch["person_mask"][:, 1:].flatten(0, 1))
    assert torch.equal(output["source"], batch["frames"][:, 1:].flatten(0, 1))
    assert output["clip"] == ["clip0", "clip0", "clip1", "clip1"]
    assert output["frame"] == [1, 2, 1, 2]


def test_scores_are_in_no_checkpoint(networks):
    assert all(key.startswith("networks.") for key in Matting(networks).state_dict())


def test_frozen_parts_stand_still(networks):
    module = Matting(networks, freeze=["networks.matting.encoder"])
    before = {key: value.clone() for key, value in module.state_dict().items()}
    optimizer = module.configure_optimizers()["optimizer"]
    sum(module.training_terms(batch_of()).values()).backward()
    optimizer.step()
    for key, value in module.state_dict().items():
        if "matting.encoder" in key:
            assert torch.equal(value, before[key]), key
    assert not torch.equal(module.networks.matting.fuse.weight, before["networks.matting.fuse.weight"])
    with pytest.raises(UserError, match=r"model.optimizer names generator"):
        Matting(networks, optimizer={"generator": {"lr": 1.0, "betas": (0.9, 0.9)}})


def test_it_learns_and_logs(networks, tmp_path):
    """Discs over noise: after 30 steps their mattes are found."""
    batch = batch_of(8)
    module = Matting(networks, MatteWeights(iou=1.0), {"matting": {"lr": 1e-2, "betas": (0.9, 0.999)}})
    trainer = pl.Trainer(
        max_steps=30,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=tmp_path,
        check_val_every_n_epoch=None,
        val_check_interval=30,
    )
    as_it_is = lambda items: items[0]  # noqa: E731
    train = torch.utils.data.DataLoader([batch] * 30, collate_fn=as_it_is)
    held_out = torch.utils.data.DataLoader([batch_of(4, frames=3, seed=1)] * 2, collate_fn=as_it_is)
    trainer.fit(module, train, held_out)
    logged = trainer.callback_metrics
    assert logged["val/iou"] > 0.45
    assert logged["val/max_f"] > 0.5
    assert logged["train/loss"] < 8  # from about 10
