"""Hydra, wrapped: one line and exit code 2 for what the user can mend, a traceback for our own defects."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import warnings
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from pytorch_lightning.callbacks.progress.tqdm_progress import Tqdm

from animate.errors import UserError
from animate.redaction import without_secrets
from animate.training.complaints import explain
from animate.training.conf import conf_folder
from animate.training.folders import global_rank
from animate.training.ranks import ending, let_the_first_rank_speak
from animate.training.sweeps import Results, Sweep, noted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from omegaconf import DictConfig

    Task = Callable[[DictConfig], float | None]

log = logging.getLogger(__name__)

USER_ERROR = 2


def launch(task: Task, config_name: str, overrides: Sequence[str] | None = None) -> None:
    """Run ``task`` on the composed config, once or for each job of a sweep (``-m``).

    Args:
        task: gets the resolved config and returns the score that a sweeper may minimise.
        config_name: the root file in ``conf/``.
        overrides: the command line after the program's name; ``None`` takes ``sys.argv``.

    Raises:
        SystemExit: code 2 after a user's error (also when only one job of a sweep had one), 130 after Ctrl-C,
            143 after SIGTERM.

    """
    # Hydra would print several lines or a cut traceback and exit with 1; so it hands its errors up to us.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    handler = signal.signal(signal.SIGTERM, _exit_terminated)
    thread_hook = threading.excepthook
    threading.excepthook = partial(_tell_of_a_thread, thread_hook)
    command_line = list(sys.argv)
    if overrides is not None:
        sys.argv = [command_line[0], *overrides]
    _quieten_lightning()
    job = _Job(task, command_line, config_name)
    try:
        _run(job, config_name)
    except KeyboardInterrupt:
        raise SystemExit(128 + signal.SIGINT) from None
    except Exception as error:
        if not isinstance(error, ToldError) and not _without_a_trial(error):
            line = explain(error, config_name)
            if line is None:
                raise
            _print_error(line)
        raise SystemExit(USER_ERROR) from None
    finally:
        sys.argv = command_line
        signal.signal(signal.SIGTERM, handler)
        threading.excepthook = thread_hook
    if job.told or (Sweep.folder and Results.of(Sweep.folder).failed):
        raise SystemExit(USER_ERROR)


def _run(job: _Job, config_name: str) -> None:
    """Hand over to Hydra; a sweep's results are told also when a job of it failed or was interrupted."""
    Sweep.folder = None
    try:
        hydra.main(version_base="1.3", config_path=str(conf_folder()), config_name=config_name)(job)()
    finally:
        if Sweep.folder and (results := Results.of(Sweep.folder)).outcomes:
            results.report(Sweep.folder)


def _without_a_trial(error: Exception) -> bool:
    """Whether Optuna complains that it knows no best trial: all jobs have failed, and each has said why."""
    return isinstance(error, ValueError) and str(error).startswith("No trials are completed")


def _print_error(line: str) -> None:
    with Tqdm.external_write_mode(file=sys.stderr):  # a progress bar may have begun the line
        print(f"animate: error: {without_secrets(line)}", file=sys.stderr, flush=True)


class ToldError(UserError):
    """A job of a sweep has failed and said why, maybe in another process; nobody has to say it again."""


class _Job:
    """What Hydra runs, maybe in another process; remembers the user's errors that it has told."""

    def __init__(self, task: Task, command_line: list[str], config_name: str) -> None:
        self.task = task
        self.command_line = command_line
        self.config_name = config_name
        self.told: list[str] = []

    def __call__(self, config: DictConfig) -> float | None:
        if global_rank() > 0:  # what the first rank says too; warnings may be of this one's own clips
            logging.getLogger("animate").setLevel(logging.WARNING)
        # Lightning's launcher starts its child processes from sys.argv: it has to see the true command line.
        sys.argv = self.command_line
        if HydraConfig.get().mode != RunMode.MULTIRUN:
            return self._try(config, sweep=False)
        _quieten_lightning()
        with noted(config) as done:
            score = self._try(config, sweep=True)
            done(score)
        return score

    def _try(self, config: DictConfig, sweep: bool) -> float | None:
        code: object = 1
        try:
            score = self.task(config)
            code = 0
            return score
        except SystemExit as stopped:
            code = stopped.code
            raise
        except Exception as error:
            let_the_first_rank_speak()
            line = explain(error, self.config_name)
            if line is None:
                if sweep:
                    log.exception("this job of the sweep failed; the others go on")
                raise
            _print_error(line)
            code = USER_ERROR
            if sweep:
                raise ToldError(line) from None  # the launcher notes it and starts the next job
            self.told.append(line)
            return None
        finally:
            ending.goodbye(code if isinstance(code, int) else 1)


def _quieten_lightning() -> None:
    """Leave out Lightning's advertisements, and a warning about torch that only Lightning can act on."""
    logging.getLogger("pytorch_lightning.utilities.rank_zero").addFilter(
        lambda record: "Tip:" not in record.getMessage()
    )
    warnings.filterwarnings("ignore", message=r"`isinstance\(treespec, LeafSpec\)` is deprecated")


def _tell_of_a_thread(
    others: Callable[[threading.ExceptHookArgs], Any], failure: threading.ExceptHookArgs
) -> None:
    """Leave out what TensorBoard's writing thread could not write: its logger raises that again for us."""
    of_tensorboard = type(failure.thread).__module__.startswith("tensorboard.")
    if not (of_tensorboard and isinstance(failure.exc_value, OSError)):
        others(failure)


def _exit_terminated(signum: int, _frame: object) -> NoReturn:
    sys.exit(128 + signum)
