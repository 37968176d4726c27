"""Run folders: ``outputs/<experiment>/<date_time>/``, made late and never shared by two runs."""

from __future__ import annotations

import os
import re
import secrets
import shutil
from contextlib import suppress
from datetime import datetime
from functools import cache
from itertools import takewhile
from pathlib import Path

from animate.errors import UserError
from animate.video.atomic import discard

#: Lightning starts the other ranks with a copy of our environment: this tells them the run's folder.
_HANDED_DOWN = "ANIMATE_RUN_FOLDER"
LAST = Path("checkpoints", "last.ckpt")


def local_rank() -> int:
    """Return the rank of this process on its machine, 0 without a launcher."""
    return int(os.environ.get("LOCAL_RANK", os.environ.get("SLURM_LOCALID", "0")))


def global_rank() -> int:
    """Return the rank of this process in the job; 0 alone makes folders and files."""
    for name in ("RANK", "SLURM_PROCID", "LOCAL_RANK"):
        if name in os.environ:
            return int(os.environ[name])
    return 0


def ranks() -> int:
    """Return how many processes train together, 1 without a launcher."""
    return int(os.environ.get("WORLD_SIZE", os.environ.get("SLURM_NTASKS", "1")))


def scheduled() -> bool:
    """Whether torchrun or SLURM has started this process."""
    return "SLURM_JOB_ID" in os.environ or "TORCHELASTIC_RUN_ID" in os.environ


def job_id() -> str | None:
    """Return a name that all ranks of a scheduled job share and that a requeued job keeps, else ``None``."""
    if "SLURM_JOB_ID" in os.environ:
        array = [
            os.environ[name] for name in ("SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID") if name in os.environ
        ]
        return "slurm_" + ("_".join(array) if len(array) == 2 else os.environ["SLURM_JOB_ID"])
    torchrun = os.environ.get("TORCHELASTIC_RUN_ID", "none")
    if torchrun == "none":  # which is what it says when nobody has given an --rdzv-id
        return _agreed_name() if os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == str(True) else None
    return "torchrun_" + re.sub(r"[^\w.-]", "_", torchrun)


def restarts() -> int:
    """Return how often a scheduled job has been begun anew, by ``scontrol requeue`` or ``--max-restarts``."""
    return int(os.environ.get("SLURM_RESTART_COUNT") or os.environ.get("TORCHELASTIC_RESTART_COUNT") or 0)


@cache
def _agreed_name() -> str:
    """Name a job of torchrun in its own store, which outlives ranks that it starts anew."""
    from torch import distributed

    store = distributed.TCPStore(os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]), is_master=False)  # type: ignore[attr-defined]
    key = "animate/job"
    if global_rank() == 0 and not store.check([key]):
        store.set(key, f"torchrun_{datetime.now().astimezone():%Y-%m-%d_%H-%M-%S}_{os.getpid()}")
    return str(store.get(key).decode())


def of_job(experiment_folder: Path, sweep_job: int | None = None) -> Path | None:
    """Return the folder of the scheduled job that runs here, ``None`` where no scheduler gave it a name."""
    job = job_id()
    return None if job is None else experiment_folder / _with_number(job, sweep_job)


def _with_number(stem: str, sweep_job: int | None) -> str:
    return stem if sweep_job is None else f"{stem}_job{sweep_job}"


def new_run_folder(experiment_folder: Path, sweep_job: int | None = None) -> Path:
    """Names and, on rank 0, makes the folder of a run that begins now.

    Under a scheduler the name is the job's id, so that every rank and a requeued job find the same folder;
    else it is the time, with a number behind it when another run took that second.
    """
    handed_down = os.environ.get(_HANDED_DOWN)
    if handed_down and local_rank() > 0:
        return Path(handed_down)
    now = f"{datetime.now().astimezone():%Y-%m-%d_%H-%M-%S}"
    folder = of_job(experiment_folder, sweep_job) or experiment_folder / _with_number(now, sweep_job)
    if global_rank() > 0:
        return folder
    folder = _make(folder, reuse=job_id() is not None)
    hand_down(folder)
    return folder


def new_run_id(folder: Path) -> str:
    """Return a name by which an online logger knows this run: unique without asking anybody."""
    return re.sub(r"[^\w-]", "_", f"{folder.parent.name}_{folder.name}_{secrets.token_hex(3)}")


def hand_down(folder: Path) -> None:
    """Tells the ranks that Lightning starts from here which folder this run uses."""
    os.environ[_HANDED_DOWN] = str(folder)


def remove_handed_down() -> None:
    """Take away the run folder of this process where it holds no results."""
    handed_down = os.environ.get(_HANDED_DOWN)
    if handed_down:
        remove_if_unused(Path(handed_down), keep=Path(handed_down).parent)


def _make(folder: Path, *, reuse: bool) -> Path:
    for attempt in range(1, 1000):
        candidate = folder if attempt == 1 else folder.with_name(f"{folder.name}_{attempt}")
        try:
            candidate.mkdir(parents=True, exist_ok=reuse)
        except FileExistsError:
            continue
        except OSError as error:
            raise UserError(
                f"cannot make the run folder {candidate}: {error.strerror}; set paths.outputs"
            ) from error
        return candidate
    raise UserError(f"cannot make a run folder like {folder}: a thousand of that name exist")


def _has_losses(metrics: Path) -> bool:
    """Whether a log holds more than the learning rates that a run begins with."""
    if not metrics.is_file():
        return False
    with metrics.open() as file:
        columns = file.readline().split(",")
    return any(name.startswith(("train/", "val/")) and not name.startswith("train/lr_") for name in columns)


def nearest_existing(folder: Path) -> Path:
    """Return the folder itself or the nearest folder above it that is there."""
    return next(place for place in (folder, *folder.parents) if place.is_dir())


def sweep(folder: Path) -> None:
    """Remove what a part of this run that was killed has left half-written in its folder."""
    if global_rank() == 0:
        for place in (folder, folder / "checkpoints", folder / "samples"):
            for path in place.glob(".*.part*"):
                discard(path)


def remove_if_unused(folder: Path, keep: Path) -> None:
    """Take away the folder of a run that ended without a checkpoint, a picture or a loss.

    The folders above it that it leaves empty go with it, up to ``keep``, which was there before the run.
    """
    if not folder.is_dir() or global_rank() > 0:
        return
    kept = ("checkpoints/*", "samples/*", "wandb/*")
    if _has_losses(folder / "metrics.csv") or any(any(folder.glob(pattern)) for pattern in kept):
        return
    shutil.rmtree(folder)
    with suppress(OSError):  # a folder that holds something else stays, and all above it
        for above in takewhile(lambda place: place != keep, folder.parents):
            above.rmdir()
