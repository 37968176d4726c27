"""Scores a checkpoint on a data set and writes the numbers down."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.utils import instantiate
from omegaconf import OmegaConf, open_dict
from pytorch_lightning import LightningDataModule, LightningModule, seed_everything
from rich.console import Console
from rich.table import Table

from animate import __version__, checkpoints
from animate.errors import UserError
from animate.training.callbacks.metrics import Metrics
from animate.training.run import build_trainer, check_settings

if TYPE_CHECKING:
    from omegaconf import DictConfig


def evaluate(config: DictConfig) -> float:
    """Reconstructs every test clip from its first frame, prints a table and writes ``metrics.json``.

    Returns:
        The mean absolute error, lower is better.

    Raises:
        UserError: the checkpoint or the data cannot be used, or the file cannot be written.

    """
    check_settings(config)
    networks = checkpoints.load(config.checkpoint)
    with open_dict(config):
        config.data.image_size = config.image_size or networks.arguments["image_size"]
    seed_everything(config.seed, workers=False, verbose=False)
    data: LightningDataModule = instantiate(config.data, _convert_="all")
    module: LightningModule = instantiate(config.module, networks=networks, _convert_="all")
    metrics = Metrics(instantiate(config.metrics, _convert_="all"))
    trainer = build_trainer(config, [metrics])
    trainer.test(module, datamodule=data, verbose=False)
    scores = {name.removeprefix("test/"): float(value) for name, value in trainer.callback_metrics.items()}
    if trainer.is_global_zero:
        _report(scores, config)
    return scores["l1"]


def _report(scores: dict[str, float], config: DictConfig) -> None:
    target = Path(config.output or Path(config.checkpoint).with_name("metrics.json"))
    written: dict[str, Any] = {
        "metrics": scores,
        "checkpoint": str(Path(config.checkpoint).resolve()),
        "data": OmegaConf.to_container(config.data, resolve=True),
        "animate": __version__,
    }
    write_json(target, written)
    table = Table("metric", "value", title=f"{Path(config.checkpoint).name} on the test split")
    for name, value in scores.items():
        table.add_row(name, f"{value:.5f}")
    Console().print(table)
    print(f"written to {target}")


def write_json(target: Path, content: dict[str, Any]) -> None:
    """Write a JSON file, whole or not at all.

    Raises:
        UserError: it cannot be written there.

    """
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(json.dumps(content, indent=2) + "\n")
        temporary.replace(target)
    except OSError as error:
        raise UserError(f"cannot write {target}: {error.strerror}; set output=...") from error
    finally:
        if temporary.is_file():
            temporary.unlink()
