"""The processes that Lightning starts for other ranks: when one fails all end, with one line and one code.

Lightning would kill the first rank (exit code -9), or leave it waiting for a rank that has gone.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

from pytorch_lightning.strategies.launchers.subprocess_script import _SubprocessScriptLauncher
from typing_extensions import override

from animate.errors import UserError
from animate.training import folders

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from subprocess import Popen

    from pytorch_lightning import Trainer

_GRACE = 3.0  # seconds for which another rank keeps an error to itself
_PATIENCE = 5.0  # seconds for one rank to notice that another has gone
_POLL = 0.2


def started_by_lightning() -> bool:
    """Whether this process is a rank that the first one has started, not torchrun or SLURM."""
    return folders.local_rank() > 0 and folders.job_id() is None


def let_the_first_rank_speak() -> None:
    """Wait in another rank, before it tells of an error: mostly the first meets the same, and ends it."""
    if folders.global_rank() > 0:
        time.sleep(_GRACE)


class Launcher(_SubprocessScriptLauncher):
    """Starts the ranks as Lightning does, and lets a :class:`Watch` look after them.

    A rank that fails tells why and leaves with its exit code; the others end without a word, the first one
    with the same code.

    Args:
        like: the launcher that Lightning has made.

    """

    def __init__(self, like: _SubprocessScriptLauncher) -> None:
        super().__init__(like.cluster_environment, like.num_processes, like.num_nodes)
        self._watch: Watch | None = None

    @override
    def launch(
        self, function: Callable[..., Any], *args: Any, trainer: Trainer | None = None, **kwargs: Any
    ) -> Any:
        """Start the other ranks where that has not been done yet, and call the function.

        Raises:
            SystemExit: another rank failed first, and this one only lost the connection to it.

        """
        if not self.cluster_environment.creates_processes_externally:
            self._call_children_scripts()
            self._watch = Watch(self.procs)
            self._watch.start()
        try:
            # With ranks running, Lightning starts neither them nor its own watch over them.
            return super().launch(function, *args, trainer=trainer, **kwargs)
        except BaseException as error:
            code = self._watch and self._watch.blamed(error)
            self.kill(signal.SIGKILL)
            if code is not None:
                raise SystemExit(code) from None
            raise

    @override
    def kill(self, signum: int) -> None:
        """Send a signal to the other ranks, whose end is no failure then."""
        if self._watch is not None:
            self._watch.over.set()
        super().kill(signum)


class Watch(Thread):
    """Ends all ranks when one of them has failed; runs beside the first, which may be stuck in a collective.

    Args:
        ranks: the processes of the others.

    """

    def __init__(self, ranks: Sequence[Popen[bytes]]) -> None:
        super().__init__(daemon=True)
        self.ranks = ranks
        self.over = Event()
        """Set when the first rank ends the others by itself."""
        self._failed = Event()
        self._code = 0

    @override
    def run(self) -> None:
        """Wait for a failure, tell of a rank that was killed, and give the first one time to leave."""
        while not (failed := [rank for rank in self.ranks if rank.poll()]):
            if self.over.wait(_POLL) or all(rank.returncode == 0 for rank in self.ranks):
                return
        # An exit code of its own counts before a signal that may have ended a rank because of it.
        first = max(failed, key=lambda rank: rank.returncode)
        if first.returncode < 0:
            told = (
                f"the process of rank {self.ranks.index(first) + 1} was ended by signal {-first.returncode}"
            )
            print(f"animate: error: {told}; all others end too", file=sys.stderr, flush=True)
        self._code = first.returncode if first.returncode > 0 else 128 - first.returncode
        self._failed.set()
        for rank in self.ranks:
            rank.kill()
        if not self.over.wait(_PATIENCE):
            folders.remove_handed_down()
            os._exit(self._code)

    def blamed(self, error: BaseException) -> int | None:
        """Return the exit code of a rank whose failure came before this error of the first, if there is one.

        An error that is not the user's may be that of a connection to a rank that is about to end.
        """
        patience = 0 if isinstance(error, UserError) or not isinstance(error, Exception) else _PATIENCE
        return self._code if self._failed.wait(patience) else None
