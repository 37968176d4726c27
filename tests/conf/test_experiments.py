"""Every experiment composes, fits the signatures it instantiates, has the reference's values, and runs."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from media import gif_folder
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning import Trainer

import drawn_maps
import drawn_mattes
from animate.metrics.catalogue import NAMES, build
from animate.training import main
from animate.training.conf import conf_folder

EXPERIMENTS = sorted(path.stem for path in (conf_folder() / "experiment").glob("*.yaml"))
VARIANTS = [
    ["logger=wandb", "callbacks=ema", "trainer=ddp"],
    ["logger=all", "trainer=cpu", "debug=overfit"],
    ["logger=csv", "trainer=gpu", "data=manifest"],
    ["perceptual=random", "debug=fast", "data=videos"],
    ["model=pose2vid", "data=one_puppet"],
    ["model=pix2pixhd", "data=label_maps"],
    ["model=inpainting", "data=inpainting"],
    ["model=inpainting", "data=inpainting_puppets"],
    ["experiment=matte_duts", "data=matte_folder"],
]
# From the reference's YAML files: batch, repeats, epochs, milestones, checkpoint every n, generator_gan,
# spectral norm, discriminator sees keypoints, id_sampling, learning rate of the keypoint detector.
REFERENCE = {
    "fomm_mgif": (36, 25, 100, [60, 90], 100, 1, True, False, False, 2e-4),
    "fomm_vox": (40, 75, 100, [60, 90], 50, 0, None, None, True, 2e-4),
    "fomm_vox_adv": (36, 75, 150, [], 50, 1, False, True, True, 2e-4),
    "fomm_taichi": (30, 150, 100, [60, 90], 50, 0, None, None, True, 2e-4),
    "fomm_taichi_adv": (27, 150, 150, [], 50, 1, False, True, True, 0),
    "fomm_fashion": (27, 50, 100, [60, 90], 50, 1, False, False, False, 2e-4),
    "fomm_bair": (36, 1, 20, [12, 18], 10, 1, True, False, False, 2e-4),
    "fomm_nemo": (36, 8, 100, [60, 90], 50, 1, True, False, False, 2e-4),
}
JITTER = {"brightness": 0.1, "contrast": 0.1, "saturation": 0.1, "hue": 0.1}
COLOUR = {
    "fomm_mgif": {"hue": 0.5, "resize": [0.9, 1.1]},
    "fomm_fashion": {"hue": 0.1},
    "fomm_nemo": {},
    **dict.fromkeys(("fomm_vox", "fomm_vox_adv", "fomm_taichi", "fomm_taichi_adv", "fomm_bair"), JITTER),
}
NARROW = [
    f"model.networks.{part}_{kind}={value}"
    for part in ("keypoint", "motion", "generator")
    for kind, value in (("width", 4), ("max_width", 8))
]


# Experiments at their published size are made small, and given data that is drawn.
SMALL = {name: ["data.image_size=64", *NARROW] for name in REFERENCE} | {
    name: [
        *(
            "data=one_puppet",
            "data.train_view.layout=puppet_person",
            "data.image_size=64",
            "perceptual=random",
        ),
        *("model.networks.width=8", "model.networks.depth=1", "model.networks.blocks=1"),
        *("model.discriminator.width=4", "model.discriminator.scales=1"),
        *(("+model.networks.enhancer_blocks=1",) if name == "pose2vid_local" else ()),
        *(
            ("model.networks.face_width=4", "model.networks.face_side=32")
            if name in ("pose2vid_face", "pose2vid_enhance")
            else ()
        ),
    ]
    for name in ("pose2vid", "pose2vid_local", "pose2vid_face", "pose2vid_enhance")
}
SMALL["inpaint_finetune"] = [
    *("data=inpainting_puppets", "data.image_size=64", "perceptual=random", "model.networks.filters=[4,6,8]"),
    *("model.networks.blocks=1", "model.discriminator.width=4", "model.discriminator.layers=3"),
]
SMALL["inpaint_puppets"] = ["data.image_size=48"]
SMALL["pix2pixhd_labels"] = [
    *("data.image_size=[32,48]", "perceptual=random", "data.root=maps", "model.discriminator.width=4"),
    *("model.networks.width=8", "model.networks.depth=1", "model.networks.blocks=1"),
    *("+model.networks.encoder_width=4", "+model.networks.encoder_depth=1"),
]

SMALL |= {
    "matte_puppets": ["data.image_size=32", "model.networks.width=4"],
    "matte_duts": ["data.root=mattes", "data.image_size=32", "data.batch_size=3", "model.networks.width=4"],
}


def composed(config_name: str, *overrides: str) -> DictConfig:
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        return compose(config_name, overrides=list(overrides))


def targets(node, path=""):
    """Every node with a ``_target_``, and where it stands."""
    if isinstance(node, dict):
        if "_target_" in node:
            yield path, node
        for key, child in node.items():
            yield from targets(child, f"{path}.{key}")
    elif isinstance(node, list):
        for number, child in enumerate(node):
            yield from targets(child, f"{path}[{number}]")


def locate(name: str):
    """The object with a dotted name, which may be a class, a function or a class's method."""
    module, _, attribute = name.rpartition(".")
    try:
        return getattr(importlib.import_module(module), attribute)
    except ModuleNotFoundError:
        return getattr(locate(module), attribute)


def assert_targets_bind(config: DictConfig) -> None:
    plain = OmegaConf.to_container(config, resolve=True)
    for path, node in targets(plain):
        arguments = {key: value for key, value in node.items() if not key.startswith("_")}
        signature = inspect.signature(locate(node["_target_"]))
        try:
            (signature.bind_partial if node.get("_partial_") else signature.bind)(**arguments)
        except TypeError as error:
            pytest.fail(f"{path}: {node['_target_']}: {error}")


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_an_experiment_fits_the_signatures_it_instantiates(experiment) -> None:
    assert_targets_bind(composed("train", f"experiment={experiment}", "run_folder=x", "run_id=y"))


@pytest.mark.parametrize("variant", VARIANTS, ids=" ".join)
def test_the_other_groups_fit_too(variant) -> None:
    assert_targets_bind(composed("train", "run_folder=x", "run_id=y", *variant))


@pytest.mark.parametrize("metrics", ["default", "fast", "full"])
def test_evaluation_fits(metrics) -> None:
    config = composed("evaluate", "checkpoint=x.ckpt", f"metrics={metrics}")
    assert_targets_bind(config)
    chosen = build(list(config.metrics.names))  # refuses a name that it does not know
    assert {"l1", "psnr", "ssim"} <= {metric.definition.name for metric in chosen.metrics}


def test_full_leaves_no_metric_out() -> None:
    assert set(NAMES) <= set(composed("evaluate", "checkpoint=x.ckpt", "metrics=full").metrics.names)


def test_no_group_option_is_left_out() -> None:
    """What no test composes may be broken without anybody noticing."""
    chosen = " ".join(" ".join(variant) for variant in VARIANTS)
    for group in ("callbacks", "data", "debug", "logger", "perceptual", "trainer"):
        for option in (path.stem for path in (conf_folder() / group).glob("*.yaml")):
            default = {
                "callbacks": "default",
                "data": "puppets",
                "logger": "tensorboard",
                "trainer": "default",
            }
            used = f"{group}={option}" in chosen or option in ("base", default.get(group), "vgg19")
            assert used, f"{group}={option}"


@pytest.mark.parametrize("experiment", REFERENCE)
def test_an_experiment_has_the_values_of_the_reference(experiment) -> None:
    config = composed("train", f"experiment={experiment}")
    discriminator = config.model.discriminator
    found = (
        config.data.batch_size,
        config.data.repeats,
        config.trainer.max_epochs,
        list(config.model.milestones),
        config.callbacks.checkpoints.every_n_epochs,
        config.model.loss_weights.generator_gan,
        discriminator and discriminator.spectral_norm,
        discriminator and discriminator.condition_on_keypoints,
        config.data.id_sampling,
        config.model.optimizer.keypoint_detector.lr,
    )
    assert found == REFERENCE[experiment]
    augmentation = config.data.augmentation
    assert augmentation.time_flip == augmentation.horizontal_flip == 0.5
    neutral = {"brightness": 0, "contrast": 0, "saturation": 0, "hue": 0, "resize": [1.0, 1.0], "rotation": 0}
    assert {key: augmentation[key] for key in neutral} == neutral | COLOUR[experiment]
    assert (config.data.image_size, config.model.networks.num_keypoints) == (256, 10)
    assert config.model.networks.jacobian == ("shared" if experiment == "fomm_mgif" else "per_keypoint")
    weights = config.model.loss_weights
    rest = (
        weights.perceptual,
        weights.feature_matching,
        weights.equivariance_value,
        weights.equivariance_jacobian,
    )
    assert rest == (10, 10, 10, 10)
    assert config.model.optimizer.generator == {"lr": 2e-4, "betas": [0.5, 0.999]}
    assert config.experiment_name == experiment


@pytest.mark.parametrize("trainer", ["default", "cpu", "gpu", "ddp"])
def test_lightning_never_puts_its_own_sampler_in_place_of_ours(trainer) -> None:
    assert composed("train", f"trainer={trainer}").trainer.use_distributed_sampler is False


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_an_experiment_runs_for_a_step(experiment, tmp_path, monkeypatch, capfd) -> None:
    monkeypatch.chdir(tmp_path)
    steps: list[torch.Tensor] = []
    fit = Trainer.fit

    def watched(self, model, *args, **kwargs):
        before = {name: value.clone() for name, value in model.named_parameters()}
        fit(self, model, *args, **kwargs)
        steps.extend((after - before[name]).abs().max() for name, after in model.named_parameters())

    monkeypatch.setattr(Trainer, "fit", watched)
    data = ["data=videos", f"data.root={gif_folder(Path('gifs'))}"] if experiment in REFERENCE else []
    if experiment == "pix2pixhd_labels":
        drawn_maps.write(Path("maps"))
    if experiment == "matte_duts":
        drawn_mattes.write(Path("mattes"))
    main(
        [
            f"experiment={experiment}",
            "debug=fast",
            "trainer.accelerator=cpu",
            *data,
            *SMALL.get(experiment, []),
        ]
    )
    assert "a training step will take about" in capfd.readouterr().out, "its memory cannot be estimated"
    assert steps, "nothing was trained"
    assert all(torch.isfinite(step) for step in steps)
    assert max(steps) > 0
    assert not Path("outputs").exists(), "debug=fast writes nothing"
