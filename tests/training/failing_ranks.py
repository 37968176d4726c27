"""``train.py`` with an accident: ``ACCIDENT`` holds a hook, what happens, in which ranks, at which call."""

from __future__ import annotations

import itertools
import os
import signal
from pathlib import Path

from animate.data.module import VideoDataModule
from animate.errors import UserError
from animate.training import main
from animate.training.folders import local_rank


def user_error() -> None:
    raise UserError("clip7 is torn")


def defect() -> None:
    raise ZeroDivisionError("a defect of ours")


def killed() -> None:
    if "DEATH" in os.environ:
        Path(os.environ["DEATH"]).touch()
    os.kill(os.getpid(), signal.SIGKILL)


def warned() -> None:
    """SLURM tells all tasks that their time is over soon."""
    os.kill(os.getpid(), signal.SIGUSR1)


ACCIDENTS = {accident.__name__: accident for accident in (user_error, defect, killed, warned)}


def have(hook: str, name: str, ranks: str, call: str = "1") -> None:
    """Let the accident happen in a hook of the data module."""
    unharmed = getattr(VideoDataModule, hook)
    calls = itertools.count(1)

    def harmed(self, *args, **kwargs):
        if next(calls) == int(call) and str(local_rank()) in ranks:
            ACCIDENTS[name]()
        return unharmed(self, *args, **kwargs)

    setattr(VideoDataModule, hook, harmed)


if __name__ == "__main__":
    have(*os.environ["ACCIDENT"].split())
    main()
