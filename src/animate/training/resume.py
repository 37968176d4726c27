"""``resume=last | RUN_DIR | CHECKPOINT``: which run goes on, from which file, and what has changed since."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import yaml  # type: ignore[import-untyped]
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from animate.checkpoints import files
from animate.checkpoints.description import description_of
from animate.errors import UserError
from animate.redaction import without_secrets
from animate.training import folders
from animate.training.folders import LAST

_NOT_COMPARED = ("resume", "run_id", "paths", "init_from", "trainer.default_root_dir")


class Resumed(NamedTuple):
    """A run that goes on: its folder and the checkpoint from which it does."""

    folder: Path
    checkpoint: Path


def find(resume: str | None, experiment_folder: Path, sweep_job: int | None = None) -> Resumed | None:
    """Return the run to go on with, ``None`` when a new one is meant.

    A job that SLURM has requeued or torchrun has restarted goes on with its own folder without being asked.

    Args:
        resume: ``last`` (the newest run of this experiment that has a ``last.ckpt``), a run's folder, or a
            checkpoint inside of one.
        experiment_folder: where the runs of this experiment are.
        sweep_job: the number of the running job where it is one of a sweep.

    Raises:
        UserError: there is nothing to resume; training never starts anew in silence.

    """
    if folders.restarts() and (restarted := _restarted(experiment_folder, sweep_job)):
        return restarted
    if resume is None:
        return None
    if resume == "last":
        return _newest(experiment_folder)
    path = Path(resume).expanduser()
    if path.is_dir():
        if not (path / LAST).is_file():
            raise UserError(f"resume={resume}: there is no {LAST} in that folder; nothing to resume")
        return Resumed(path, path / LAST)
    if not path.is_file():
        raise UserError(
            f"resume={resume}: no such run folder or checkpoint; use resume=last, a run's folder or a file"
        )
    if path.resolve().parent.name != "checkpoints":
        raise UserError(
            f"resume={resume}: not in a run's checkpoints folder; init_from=... begins a run with its weights"
        )
    return Resumed(path.resolve().parents[1], path)


def _restarted(experiment_folder: Path, sweep_job: int | None) -> Resumed | None:
    folder = folders.of_job(experiment_folder, sweep_job)
    return Resumed(folder, folder / LAST) if folder and (folder / LAST).is_file() else None


def _newest(experiment_folder: Path) -> Resumed:
    checkpoints = [path for path in experiment_folder.glob(f"*/{LAST}") if path.is_file()]
    if not checkpoints:
        raise UserError(f"resume=last: no run in {experiment_folder} has a {LAST}; nothing to resume")
    newest = max(checkpoints, key=lambda path: (path.stat().st_mtime_ns, path))
    return Resumed(newest.parents[1], newest)


def check(resumed: Resumed, architecture: str) -> None:
    """Refuse a checkpoint that a training cannot go on from, before anything in its folder is touched.

    Raises:
        UserError: it cannot be read, or holds another method's networks, or only weights.

    """
    path = resumed.checkpoint
    checkpoint = files.read(path)
    found = description_of(checkpoint, path)["architecture"]
    if found != architecture:
        raise UserError(f"resume: {path} holds a {found} model; this run trains {architecture}")
    if "loops" not in checkpoint:
        raise UserError(
            f"resume: {path} holds weights, but not how far a training came; begin with init_from={path}"
        )


def stored_config(folder: Path) -> dict[str, Any]:
    """Return the config that a run was started with as it is written, ``{}`` when its file is gone.

    Raises:
        UserError: it is damaged, or holds more than plain values.

    """
    path = folder / "config.yaml"
    if not path.is_file():
        return {}
    try:
        stored = OmegaConf.to_container(OmegaConf.load(path))
    except (OSError, ValueError, RecursionError, yaml.YAMLError, OmegaConfBaseException) as error:
        reason = " ".join(str(error).split())[:160]
        raise UserError(f"{path} is damaged, or more than plain settings: {reason}") from error
    return {str(key): value for key, value in stored.items()} if isinstance(stored, dict) else {}


def training_of(checkpoint: Path) -> dict[str, Any]:
    """Return the config of the run in whose folder a checkpoint lies, ``{}`` where it lies elsewhere."""
    folder = checkpoint.resolve().parent
    return stored_config(folder.parent) if folder.name == "checkpoints" else {}


def trained_size(checkpoint: Path) -> tuple[int, int] | None:
    """Find the (height, width) of training where a checkpoint still lies in its run's folder."""
    data = training_of(checkpoint).get("data")
    size = data.get("image_size") if isinstance(data, dict) else None
    if isinstance(size, int):
        return size, size
    if isinstance(size, list) and len(size) == 2:
        return int(size[0]), int(size[1])
    return None


def differences(before: dict[str, Any], now: DictConfig) -> list[str]:
    """``key: before -> now`` for every setting that is not what the run began with."""
    old, new = (
        _flat(without_secrets(values)) for values in (before, OmegaConf.to_container(now, resolve=True))
    )
    keys = sorted(key for key in old.keys() | new.keys() if not key.startswith(_NOT_COMPARED))
    return [f"{key}: {old.get(key)} -> {new.get(key)}" for key in keys if old.get(key) != new.get(key)]


def _flat(node: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(node, dict) or not node:
        return {prefix[:-1]: node}
    return {
        name: leaf for key, child in node.items() for name, leaf in _flat(child, f"{prefix}{key}.").items()
    }
