"""One training run: build what the config names, fit, test, return the score."""

from __future__ import annotations

import logging
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from hydra.utils import get_class, instantiate
from omegaconf import DictConfig, OmegaConf, open_dict
from pytorch_lightning import LightningDataModule, LightningModule, Trainer, seed_everything
from pytorch_lightning.strategies.launchers.subprocess_script import _SubprocessScriptLauncher

from animate import checkpoints
from animate.errors import UserError
from animate.redaction import without_secrets
from animate.training import folders, resume
from animate.training.allocator import keep_freed_memory
from animate.training.callbacks.checkpoints import Checkpoints
from animate.training.callbacks.dashboards import Dashboards, closing
from animate.training.callbacks.describe import Describe
from animate.training.callbacks.ema import EMA
from animate.training.callbacks.interruption import Interruption
from animate.training.callbacks.out_of_memory import OutOfMemory
from animate.training.callbacks.rescue import Rescue
from animate.training.checkpoint_io import AtomicCheckpointIO
from animate.training.ranks import Launcher
from animate.training.value_types import wrong_values
from animate.video.atomic import temporary_file

if TYPE_CHECKING:
    from collections.abc import Iterable

    from animate.checkpoints.initialise import Trained
    from animate.modules.learner import Learner

log = logging.getLogger(__name__)

# A change of these makes other tensors than those that a checkpoint holds.
_MODEL = ("architecture", "model.networks", "model.discriminator", "model.freeze")


def train(config: DictConfig) -> float | None:
    """Trains as the config says and returns the best validation score (lower is better).

    Raises:
        UserError: something in the config, the data or on the disk is wrong.
        SystemExit: 130 or 143 after a signal, when ``last.ckpt`` has been saved.

    """
    check(config)
    experiment_folder = Path(config.paths.outputs) / config.experiment_name
    there_before = folders.nearest_existing(experiment_folder)
    resumed = resume.find(config.resume, experiment_folder, _sweep_job())
    if resumed is None:
        folder = folders.new_run_folder(experiment_folder, _sweep_job())
    else:
        resume.check(resumed, config.architecture)
        folder = resumed.folder
        folders.hand_down(folder)
        folders.sweep(folder)
    _settle(config, folder, resumed)
    try:
        return _fit_and_test(config, folder, resumed)
    finally:
        folders.remove_if_unused(folder, keep=there_before)


def check(config: DictConfig) -> None:
    """Refuse what could only fail later, or less clearly.

    Raises:
        UserError: names the setting.

    """
    check_settings(config)
    if not config.experiment_name:
        raise UserError("experiment_name must be set: it names the folder of the run")
    if config.resume and config.init_from:
        raise UserError("resume and init_from exclude each other: a resumed run has its own weights")
    checkpoints.describe(
        config.architecture, _plain(config, "model.networks") or {}, _plain(config, "model.discriminator")
    )


def _plain(config: DictConfig, group: str) -> dict[str, Any] | None:
    node = OmegaConf.select(config, group)
    if node is None:
        return None
    if not isinstance(node, DictConfig):
        raise UserError(f"{group} must be a group of settings, not {node!r}")
    values = cast("dict[str, Any]", OmegaConf.to_container(node, resolve=True))
    return {key: value for key, value in values.items() if not key.startswith("_")}


def check_settings(config: DictConfig) -> None:
    """Refuse a config with open settings, values of a wrong type, and a precision that this machine has not.

    Raises:
        UserError: names the setting.

    """
    _check_values(
        config, resolve=False
    )  # a word in place of a group, before something inside of it is missed
    missing = sorted(OmegaConf.missing_keys(config))
    if missing:
        raise UserError(f"{', '.join(missing)} must be set: add {missing[0]}=...")
    _check_values(config, resolve=True)
    for name in ("channels_last", "compile", "test", "overwrite"):
        if name in config and type(config[name]) is not bool:
            raise UserError(f"{name} must be true or false, not {config[name]!r}")
    for group in ("callbacks", "logger"):
        for name, node in (config.get(group) or {}).items():
            if node is not None and "_target_" not in (node if OmegaConf.is_dict(node) else {}):
                raise UserError(f"{group}.{name} must be settings with a _target_ or null, not {node!r}")
    if str(config.trainer.precision).startswith("16") and on_cpu(config):
        raise UserError(
            f"trainer.precision={config.trainer.precision} needs a GPU; on a CPU use bf16-mixed or 32-true"
        )


def _check_values(config: DictConfig, *, resolve: bool) -> None:
    begun = OmegaConf.merge(config, {"run_folder": ""})  # which is filled in when the run begins
    if wrong := list(wrong_values(OmegaConf.to_container(begun, resolve=resolve))):
        raise UserError("; ".join(wrong))


def on_cpu(config: DictConfig) -> bool:
    """Whether the trainer of this config computes on the CPU of this machine."""
    chosen = str(config.trainer.accelerator)
    return chosen == "cpu" or (
        chosen == "auto" and not (torch.cuda.is_available() or torch.mps.is_available())
    )


def _sweep_job() -> int | None:
    hydra = HydraConfig.get()
    return int(hydra.job.num) if hydra.mode == RunMode.MULTIRUN else None


def _settle(config: DictConfig, folder: Path, resumed: resume.Resumed | None) -> None:
    """Write down where this run lives, and under which id the loggers know it.

    Raises:
        UserError: the run that is resumed trains another model.

    """
    stored = resume.stored_config(folder) if resumed else {}
    with open_dict(config):
        config.run_folder = str(folder.resolve())
        config.run_id = config.run_id or stored.get("run_id") or folders.new_run_id(folder)
    changed = resume.differences(stored, config) if stored else []
    model = [change for change in changed if change.startswith(_MODEL)]
    if model:
        raise UserError(f"resume: {folder} began with another model: {'; '.join(model)}")
    if changed and folders.global_rank() == 0:
        log.warning("resumed with other settings than the run began with: %s", "; ".join(changed))


def _fit_and_test(config: DictConfig, folder: Path, resumed: resume.Resumed | None) -> float | None:
    seed_everything(config.seed, workers=False, verbose=False)
    if on_cpu(config):
        keep_freed_memory()
    data: LightningDataModule = instantiate(config.data, _convert_="all")
    module = build_module(config)
    if config.init_from:
        log.info("%s", checkpoints.initialise(cast("Trained", module), config.init_from))
    elif not resumed and not config.trainer.fast_dev_run:
        _refuse_random_weights_held_still(module)
    if config.channels_last:
        module.to(memory_format=torch.channels_last)  # what convolutions make follows their weights
    if config.compile:
        cast("Learner", module).compile_networks()
    interruption, memory = Interruption(), OutOfMemory()
    told = without_secrets(OmegaConf.to_container(config, resolve=True))
    dashboards = Dashboards(told)
    averages, others = _averages_first(_nodes(config.callbacks))
    own = [Describe(config.architecture, module), dashboards, memory, interruption]
    trainer = build_trainer(config, [*averages, Rescue(), *others, *own])
    if trainer.is_global_zero:
        with temporary_file(folder / "config.yaml") as temporary:
            OmegaConf.save(OmegaConf.create(told), temporary)
    last = resumed and str(resumed.checkpoint)
    with memory, closing(trainer):
        with interruption:
            trainer.fit(module, datamodule=data, ckpt_path=last, weights_only=True)
        if config.test and not config.trainer.fast_dev_run:
            _test_best(trainer, module, data, folder)
    return best_score(trainer)


def _averages_first(callbacks: Iterable[Any]) -> tuple[list[Any], list[Any]]:
    """Part what changes weights at a step's end from all that may wait for other ranks there."""
    parts: tuple[list[Any], list[Any]] = ([], [])
    for callback in callbacks:
        parts[0 if isinstance(callback, EMA) else 1].append(callback)
    return parts


def build_module(config: DictConfig) -> LightningModule:
    """Return the module of the config; a feature network without a weight is not even built or downloaded.

    The group ``perceptual`` is always there; a method that takes none goes without.
    """
    model = config.model
    if "perceptual" not in signature(get_class(model._target_)).parameters:
        model = OmegaConf.masked_copy(model, [key for key in model if key != "perceptual"])
        model._set_parent(config)
    idle = OmegaConf.select(model, "loss_weights.perceptual") == 0
    module: LightningModule = instantiate(model, _convert_="all", **({"perceptual": None} if idle else {}))
    return module


def _refuse_random_weights_held_still(module: LightningModule) -> None:
    """Refuse to freeze parts of new networks: what stands still must have learned before.

    Raises:
        UserError: names the parts.

    """
    held = [name for name, weight in module.named_parameters() if not weight.requires_grad]
    parts = sorted({".".join(name.split(".")[:2]) for name in held if name.startswith("networks.")})
    if parts:
        raise UserError(
            f"{', '.join(parts)} is not trained here and has random weights: add "
            "init_from=<a checkpoint of the training before>"
        )


def _test_best(trainer: Trainer, module: LightningModule, data: LightningDataModule, folder: Path) -> None:
    """Scores the weights of ``best.ckpt``, averaged ones where there are such.

    Not by ``ckpt_path``: the EMA callback would then put the weights before averaging in their place.
    """
    best = folder / "checkpoints" / "best.ckpt"
    if best.is_file():
        module.load_state_dict(torch.load(best, map_location="cpu", weights_only=True)["state_dict"])
    trainer.test(module, datamodule=data, verbose=trainer.is_global_zero)


def build_trainer(config: DictConfig, callbacks: Iterable[Any]) -> Trainer:
    """Return the trainer of the config with its loggers and the given callbacks.

    Raises:
        UserError: several processes were asked for inside of a sweep.

    """
    settings: dict[str, Any] = {
        "callbacks": list(callbacks),
        "logger": _nodes(config.get("logger")),
        "plugins": [AtomicCheckpointIO()],
    }
    if config.trainer.sync_batchnorm and on_cpu(config):
        log.info("torch has no SyncBatchNorm for CPU processes: each one keeps batch statistics of its own")
        settings["sync_batchnorm"] = False
    trainer: Trainer = instantiate(config.trainer, **settings, _convert_="all")
    if _sweep_job() is not None and isinstance(trainer.strategy.launcher, _SubprocessScriptLauncher):
        raise UserError("a job of a sweep trains on one device: set trainer.devices=1")
    if isinstance(trainer.strategy.launcher, _SubprocessScriptLauncher):
        trainer.strategy._launcher = Launcher(trainer.strategy.launcher)
    return trainer


def _nodes(group: DictConfig | None) -> list[Any]:
    """Instantiate every entry of a group; an entry set to null is left out."""
    return [instantiate(node, _convert_="all") for node in (group or {}).values() if node is not None]


def best_score(trainer: Trainer) -> float | None:
    """Return the lowest monitored validation value of the run, ``None`` when nothing was validated."""
    found = [callback.best for callback in trainer.checkpoint_callbacks if isinstance(callback, Checkpoints)]
    return found[0] if found else None
