"""Which exceptions are the user's to mend, and the one line that says so."""

from __future__ import annotations

import difflib
import errno
import os
import re
from typing import TYPE_CHECKING, Any

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import (
    ConfigCompositionException,
    HydraException,
    InstantiationException,
    MissingConfigException,
    OverrideParseException,
)
from lightning_fabric.utilities.exceptions import MisconfigurationException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from animate.errors import UserError, ran_out_of_memory
from animate.training.conf import conf_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

_DISK_ERRORS = (
    *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR),
    *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG),
)
_SIGNATURE = re.compile(r"unexpected keyword argument|missing \d+ required|Expected a callable")
_DEAD_WORKER = re.compile(r"DataLoader worker \(pid.*?\) (is killed by signal: [\w ]+|exited unexpectedly)")
_FOREIGN = re.compile(r"Error in call to target '(?!animate\.)")


def explain(error: BaseException, config_name: str) -> str | None:
    """One line for an error that the user can mend, ``None`` for a defect of ours.

    Args:
        error: what was raised.
        config_name: the root config, in which near matches of a wrong key are looked up.

    """
    if isinstance(error, UserError):
        return _one_line(_without_worker_trace(str(error)))
    if isinstance(error, MissingConfigException):
        return _missing_option(error)
    if isinstance(error, InstantiationException):
        return _instantiation(error, config_name)
    if isinstance(error, ConfigCompositionException):
        return _wrong_key(error, config_name)
    if isinstance(error, OverrideParseException):
        return _one_line(f"cannot read the override {error.override!r}: {error}")
    if isinstance(error, (HydraException, OmegaConfBaseException, MisconfigurationException)):
        return _one_line(str(error))
    if isinstance(error, ValueError) and str(error).startswith("Config group override"):
        return "a group takes the name of one of its files, like data=videos: numbers are no names"
    return _of_the_machine(error)


def _of_the_machine(error: BaseException) -> str | None:
    """Return what to do where memory or the disk is too small."""
    if ran_out_of_memory(error):
        return "out of memory: set a higher trainer.accumulate_grad_batches, or a smaller data.batch_size"
    if isinstance(error, RuntimeError) and (ended := _DEAD_WORKER.search(str(error))):
        return _one_line(f"{ended[0]}: is there enough memory? use fewer workers with data.num_workers")
    if isinstance(error, OSError) and error.errno in _DISK_ERRORS:
        what = os.fsdecode(error.filename or "a file of the run")
        return _one_line(f"cannot write {what}: {error.strerror}; make room, or set paths.outputs")
    return None


def _one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


def _without_worker_trace(message: str) -> str:
    """Take the last line of a data worker's exception, whose message holds the traceback."""
    if not message.startswith("Caught "):
        return message
    return message.strip().splitlines()[-1].partition("UserError: ")[2] or message


def _nearest(word: str, known: list[str]) -> str:
    near = difflib.get_close_matches(word, known, n=3, cutoff=0.5)
    return f"; did you mean {' or '.join(near)}?" if near else ""


def _missing_option(error: MissingConfigException) -> str:
    name = str(error.missing_cfg_file)
    group, _, option = name.rpartition("/")
    if group in ("hydra/sweeper", "hydra/launcher") and option.startswith(("optuna", "joblib", "submitit")):
        return f"{group}={option} needs the extra sweeps: pip install 'animate[sweeps]'"
    # `base` is what the files of a group share, nothing to choose.
    known = [str(known) for known in error.options or [] if known != "base"]
    if not known:
        groups = [folder.name for folder in conf_folder().iterdir() if folder.is_dir()]
        return _one_line(str(error)) + _nearest(group or name, groups)
    return f"there is no {group}={option}{_nearest(option, known)} (known: {', '.join(sorted(known))})"


def _instantiation(error: InstantiationException, config_name: str) -> str | None:
    """Return the complaint of a constructor about a value; a bug inside of a constructor of ours is ours."""
    cause = error.__cause__
    where = str(error).rpartition("full_key: ")[2].strip() if "full_key: " in str(error) else "the config"
    if isinstance(cause, UserError):
        return explain(cause, config_name)
    if isinstance(cause, (MisconfigurationException, ValueError, ImportError)):
        return _one_line(f"{where}: {cause}")
    if isinstance(cause, OSError):
        return explain(cause, config_name)
    if isinstance(cause, TypeError) and (_SIGNATURE.search(str(cause)) or _FOREIGN.search(str(error))):
        return _one_line(f"{where}: {cause}")
    return None if cause is not None else _one_line(f"{where}: {error}")


def _wrong_key(error: ConfigCompositionException, config_name: str) -> str:
    """Name the keys that come nearest to one that does not exist."""
    found = re.match(r"Could not override '([^'@]+)", str(error))
    if found is None or "is not in struct" not in str(error.__cause__):
        return _one_line(str(error) if error.__cause__ is None else f"{error} {error.__cause__!s}")
    # What is missing may lie inside of the value: data.train_view={a: 1}.
    inner = re.search(r"full_key: (\S+)", str(error.__cause__))
    key = max(found.group(1), inner.group(1) if inner else "", key=len)
    return f"there is no setting {key!r}{_nearest(key, _known_keys(config_name))} (+{key}=... would add it)"


def _known_keys(config_name: str) -> list[str]:
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(conf_folder()), version_base="1.3"):
            return list(_dotted(OmegaConf.to_container(compose(config_name))))
    except HydraException:  # no default config to compare with: the message does without near matches
        return []


def _dotted(node: Any, prefix: str = "") -> Iterator[str]:
    """Give every key of a nested config as it is written in an override."""
    for key, child in node.items() if isinstance(node, dict) else ():
        yield f"{prefix}{key}"
        yield from _dotted(child, f"{prefix}{key}.")
