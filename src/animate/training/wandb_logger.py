"""Weights & Biases: never asks, never waits for a network that is not there, never stops a training."""

from __future__ import annotations

import logging
import re
import sys
import threading
import urllib.error
import urllib.request
from contextlib import suppress
from textwrap import shorten
from typing import TYPE_CHECKING, Any, Literal

import wandb
from lightning_fabric.loggers.logger import rank_zero_experiment
from pytorch_lightning import loggers
from typing_extensions import override

from animate.redaction import without_secrets
from animate.training.dashboards import STEP, Dashboard

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from wandb import Run
    from wandb.sdk.lib import RunDisabled

    from animate.training.dashboards import Best

log = logging.getLogger(__name__)

Mode = Literal["online", "offline", "disabled"]

PATIENCE = 5.0
"""Seconds that W&B's server has for its first answer."""
INIT_TIMEOUT = 30.0
"""Seconds after which a run that W&B does not open is logged offline."""
FINISH_TIMEOUT = 600.0
"""Seconds that the end of a run waits for uploads; what is left stays on the disk for ``wandb sync``."""

_PANELS = ("train", "val", "test", "sys", "media")


class WandbLogger(Dashboard, loggers.WandbLogger):
    """A W&B run: metrics against optimiser steps, best values, pictures and videos, config, checkpoint.

    The API key comes from ``WANDB_API_KEY`` or from ``wandb login``; there is no setting for it. Without a
    key, without a network, or when W&B refuses the run, one line says so and the run is logged offline.

    Args:
        mode: ``online``, ``offline`` (kept on this machine until ``wandb sync``) or ``disabled``; None takes
            W&B's own setting (``WANDB_MODE``, ``wandb offline``), which is online when nobody has set it.
        log_model: store ``best.ckpt`` as an artifact when training has ended.
        **arguments: of Lightning's logger and of ``wandb.init``: project, group, id, name, save_dir, ...

    """

    def __init__(self, mode: Mode | None = None, log_model: bool = False, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._wandb_init.pop("anonymous", None)  # W&B warns of it, also when it is None
        self._mode = mode
        self._keeps_model = log_model

    @property
    @rank_zero_experiment
    def experiment(self) -> Run | RunDisabled:
        """The run, opened when it is first needed."""
        if self._experiment is None:
            self._experiment = self._open()
            for name in (STEP, "epoch"):
                self._experiment.define_metric(name, hidden=True)  # an axis needs no panel of its own
            for panel in _PANELS:
                self._experiment.define_metric(f"{panel}/*", step_metric=STEP)
        return self._experiment

    def _open(self) -> Run:
        settings = wandb.setup().settings
        mode = self._mode or settings.mode
        if mode in ("offline", "dryrun"):  # the second is W&B's old name of the first
            return self._open_offline()
        reason = None if mode == "disabled" else why_not_online(settings.base_url)
        if reason is None:
            try:
                return self._init(mode)
            except wandb.Error as error:  # W&B's complaint about a key, a project, a server
                reason = shorten(str(error), 200)
        return self._open_offline(reason)

    def _open_offline(self, reason: str | None = None) -> Run:
        """Open a run on the disk, because it was asked for or because there is a reason."""
        run = self._init("offline")
        level, why = (logging.WARNING, f"{reason}; ") if reason else (logging.INFO, "")
        log.log(level, "W&B: %slogging offline, to be sent with: wandb sync %s", why, folder_of(run))
        return run

    def _init(self, mode: Any) -> Run:
        settings = wandb.Settings(
            init_timeout=INIT_TIMEOUT, finish_timeout=FINISH_TIMEOUT, silent=mode != "online"
        )
        command_line = sys.argv
        sys.argv = without_secrets(command_line)  # which W&B writes down
        try:
            return wandb.init(**self._wandb_init, mode=mode, settings=settings)
        finally:
            sys.argv = command_line

    @override
    def begin(self, config: Mapping[str, Any], best: Mapping[str, Best]) -> None:
        """See :class:`Dashboard`."""
        self.experiment.config.update(dict(config), allow_val_change=True)
        for name, extreme in best.items():
            self.experiment.define_metric(name, step_metric=STEP, summary=extreme)

    @override
    def show(self, media: Mapping[str, Path], step: int) -> None:
        """See :class:`Dashboard`."""
        shown = {name: _KINDS[path.suffix](str(path)) for name, path in media.items()}
        self.experiment.log({**shown, STEP: step})

    @override
    def keep(self, checkpoint: Path) -> None:
        """See :class:`Dashboard`."""
        if not self._keeps_model:
            return
        name = re.sub(r"[^A-Za-z0-9_.-]", "_", f"model-{self.experiment.id}")
        artifact = wandb.Artifact(name, type="model")
        artifact.add_file(str(checkpoint), name=checkpoint.name)
        self.experiment.log_artifact(artifact, aliases=["latest", checkpoint.stem])

    @override
    def close(self, exit_code: int) -> None:
        """See :class:`Dashboard`; the next job of a sweep opens a run of its own."""
        if self._experiment is not None:
            self._experiment.finish(exit_code=exit_code)
            self._experiment = None


_KINDS = {".png": wandb.Image, ".mp4": wandb.Video}


def folder_of(run: Run) -> str:
    """Name the folder that ``wandb sync`` takes."""
    return run.dir.removesuffix("files").rstrip("/\\")


def why_not_online(base_url: str) -> str | None:
    """Say what keeps this machine from logging online, ``None`` when nothing does; never asks for a key."""
    if not _answers(base_url):
        return f"{base_url} cannot be reached"
    try:
        found = wandb.login(prompt=False, verify=True)
    except wandb.Error as error:
        return shorten(str(error), 200)
    return None if found else "no API key (set WANDB_API_KEY or run `wandb login`)"


def _answers(address: str) -> bool:
    """Whether a server says anything within :data:`PATIENCE`; in a thread: looking up names has no limit."""
    answered = threading.Event()

    def ask() -> None:
        with suppress(OSError, ValueError):
            with suppress(urllib.error.HTTPError):  # also an answer
                urllib.request.urlopen(address, timeout=PATIENCE).close()
            answered.set()

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(PATIENCE)
    return answered.is_set()
