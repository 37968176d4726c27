"""What a run shows on its dashboards; the same for every method and for every dashboard.

Numbers reach the loggers through Lightning's ``log``, under ``train/``, ``val/``, ``test/`` and ``sys/``.
Everything else is here: the config with the git revision, which value of a metric is the best, pictures and
videos under ``media/``, the checkpoint.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pytorch_lightning import Callback
from typing_extensions import override

from animate import __version__
from animate.checkpoints.description import source_revision
from animate.training.callbacks.checkpoints import Checkpoints
from animate.training.callbacks.metrics import Metrics
from animate.training.callbacks.samples import Samples
from animate.training.dashboards import Dashboard

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pytorch_lightning import LightningModule, Trainer

    from animate.training.dashboards import Best


class Dashboards(Callback):
    """Serves every logger that is a :class:`Dashboard`; :func:`closing` ends them.

    Args:
        config: plain values: the whole config of the run.

    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.config = config
        self._dashboards: list[Dashboard] = []

    @override
    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Open the pages."""
        if not trainer.is_global_zero:
            return
        self._dashboards = dashboards_of(trainer)
        origin = {"version": __version__, "revision": source_revision()}
        for dashboard in self._dashboards:
            dashboard.begin({**self.config, "animate": origin}, best_values(trainer))

    @override
    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Show the pictures and the video that this validation left."""
        step = trainer.fit_loop.epoch_loop._batches_that_stepped  # under which Lightning logs the metrics
        for samples in _of(trainer, Samples):
            media = {f"media/{name}": path for name, path in samples.written.items()}
            for dashboard in self._dashboards if media else []:
                dashboard.show(media, step)

    @override
    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Offer the best checkpoint, or the last where nothing was validated."""
        for folder in [checkpoints.folder for checkpoints in _of(trainer, Checkpoints)]:
            found = [path for path in (folder / "best.ckpt", folder / "last.ckpt") if path.is_file()]
            for dashboard in self._dashboards if found else []:
                dashboard.keep(found[0])


@contextmanager
def closing(trainer: Trainer) -> Iterator[None]:
    """Close the trainer's dashboards at the end, however it comes: the next run gets pages of its own."""
    code: object = 1
    try:
        yield
        code = 0
    except SystemExit as stopped:
        code = stopped.code
        raise
    finally:
        for dashboard in dashboards_of(trainer):
            dashboard.close(code if isinstance(code, int) else 1)


def dashboards_of(trainer: Trainer) -> list[Dashboard]:
    """List the loggers that show more than numbers."""
    return [logger for logger in trainer.loggers if isinstance(logger, Dashboard)]


def best_values(trainer: Trainer) -> dict[str, Best]:
    """Say of the loss and of every validation metric whether its lowest or its highest value is the best."""
    best: dict[str, Best] = {"train/loss": "min", "val/l1_ratio": "min"}
    for callback in _of(trainer, Metrics):
        for name, metric in callback.metrics.items():
            best[f"val/{name}"] = "max" if metric.definition.higher_is_better else "min"
    return best


def _of(trainer: Trainer, kind: type[Any]) -> Iterator[Any]:
    callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]
    return (callback for callback in callbacks if isinstance(callback, kind))
