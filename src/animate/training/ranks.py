"""The processes of the ranks: when one fails all end, with one line, one code and a checkpoint to resume.

Lightning would kill the first rank (exit code -9), or leave the others waiting for a rank that has gone.
"""

from __future__ import annotations

import os
import signal
import sys
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Any

from pytorch_lightning.strategies.launchers.subprocess_script import _SubprocessScriptLauncher
from typing_extensions import override

from animate.errors import UserError
from animate.training import folders

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from subprocess import Popen

    from pytorch_lightning import Trainer

    from animate.training.lifeline import Lifeline

_GRACE = 3.0  # seconds for which another rank keeps an error to itself
_PATIENCE = 5.0  # seconds for one rank to notice that another has gone
_DEADLINE = 45  # seconds after a death, in which everything that is to be saved must be
_POLL = 0.2
_KILLED = 128 + signal.SIGKILL
_AGREED = (0, *(128 + number for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)))


def started_by_lightning() -> bool:
    """Whether this process is a rank that the first one has started, not torchrun or SLURM."""
    return folders.local_rank() > 0 and not folders.scheduled()


class Ending:
    """How this process ends when another rank has failed; decided once, by whoever notices first."""

    def __init__(self) -> None:
        self.others: Sequence[Popen[bytes]] = ()
        """The ranks that this one has started, from the second."""
        self.lifeline: Lifeline | None = None
        self.rescue: Callable[[bool], str | None] = lambda _first: None
        """Saves what can be; what to say of it, or None where another rank does. Set for a training."""
        self.over = Event()
        """Set when this process leaves by itself."""
        self.code = 0
        self._noticed, self._settled, self._once = Event(), Event(), Lock()

    @property
    def begun(self) -> bool:
        """Whether another rank has failed, so that none can be asked anything any more."""
        return self._noticed.is_set()

    def lost(self, rank: int) -> None:
        """Another rank has died: save, tell of it, and end."""
        if not self._begin():
            return
        signal.alarm(_DEADLINE)  # the kernel's: works also where all threads are stuck
        how, self.code = self._how(rank)
        first = folders.global_rank() == 0
        if (first or rank == 0) and (saved := self._saved(first)) is not None:
            line = f"{how}; all other ranks end too; {saved}"
            print(f"animate: error: {line}", file=sys.stderr, flush=True)
        self._end()

    def _saved(self, first: bool) -> str | None:
        try:
            return self.rescue(first)
        except Exception as error:  # whatever it is, the other ranks must end
            return f"nothing could be saved ({type(error).__name__}: {error})"

    def left(self, code: int) -> None:
        """Another rank has ended with an exit code; if it failed, it has told why."""
        # A rank that this one has started may still be telling: its end counts, see Watch.
        if code not in _AGREED and not self.others and self._begin():
            self.code = code
            self._end()

    def failed(self, code: int) -> None:
        """End as a rank did that this one has started."""
        if self._begin():
            self.code = code
            self._end()

    def noticed(self, patience: float) -> bool:
        """Whether another rank has failed, or does within some seconds; then all that is to be done is."""
        return self._noticed.wait(patience) and self._settled.wait()

    def goodbye(self, code: int) -> None:
        """Tell the other ranks that this one ends now, and has said why."""
        if self.lifeline is not None:
            self.lifeline.leave(code)
            self.lifeline = None

    def _begin(self) -> bool:
        with self._once:
            if self._noticed.is_set() or self.over.is_set():
                return False
            self._noticed.set()
            return True

    def _how(self, rank: int) -> tuple[str, int]:
        """Say how a rank has ended, and with which code this one does; the system knows of those started."""
        if 0 < rank <= len(self.others):
            code = self.others[rank - 1].wait(timeout=_PATIENCE)
            if code < 0:
                return f"the process of rank {rank} was ended by signal {-code}", 128 - code
        return f"the process of rank {rank} has died", _KILLED

    def _end(self) -> None:
        """Give the main thread time to leave by itself; it may be stuck in a collective."""
        self._settled.set()
        for rank in self.others:
            rank.kill()
        if not self.over.wait(_PATIENCE):
            folders.remove_handed_down()
            os._exit(self.code)


ending = Ending()
"""Of the training that runs in this process."""


def begin() -> None:
    """Forget the training before."""
    ending.__init__()  # type: ignore[misc]  # others hold this very object


def let_the_first_rank_speak() -> None:
    """Wait in another rank, before it tells of an error: mostly the first meets the same, and ends it.

    Raises:
        SystemExit: the first has told.

    """
    if folders.global_rank() > 0 and ending.noticed(_GRACE):
        ending.over.set()
        raise SystemExit(ending.code)


class Launcher(_SubprocessScriptLauncher):
    """Starts the ranks as Lightning does, and lets a :class:`Watch` look after them.

    A rank that fails tells why and leaves with its exit code; the others end without a word, the first one
    with the same code.

    Args:
        like: the launcher that Lightning has made.

    """

    def __init__(self, like: _SubprocessScriptLauncher) -> None:
        super().__init__(like.cluster_environment, like.num_processes, like.num_nodes)
        begin()

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
            ending.others = self.procs
            Watch(self.procs).start()
        try:
            # With ranks running, Lightning starts neither them nor its own watch over them.
            return super().launch(function, *args, trainer=trainer, **kwargs)
        except BaseException as error:
            failed = ending.noticed(_patience(error))
            self.kill(signal.SIGKILL)
            if failed:
                raise SystemExit(ending.code) from None
            raise

    @override
    def kill(self, signum: int) -> None:
        """Send a signal to the other ranks, whose end is no failure then."""
        ending.over.set()
        super().kill(signum)


def _patience(error: BaseException) -> float:
    """Tell how long an error of this rank may turn out to be that of a connection to one that has ended."""
    if folders.ranks() == 1 or isinstance(error, UserError) or not isinstance(error, Exception):
        return 0.0
    return _PATIENCE


class Watch(Thread):
    """Ends all ranks when one of them has failed; runs beside the first, which may be stuck in a collective.

    Args:
        ranks: the processes of the others.

    """

    def __init__(self, ranks: Sequence[Popen[bytes]]) -> None:
        super().__init__(daemon=True)
        self.ranks = ranks

    @override
    def run(self) -> None:
        """Wait for a failure."""
        while not (failed := [rank for rank in self.ranks if rank.poll()]):
            if ending.over.wait(_POLL) or all(rank.returncode == 0 for rank in self.ranks):
                return
        # An exit code of its own counts before a signal that may have ended a rank because of it.
        first = max(failed, key=lambda rank: rank.returncode)
        if first.returncode < 0:
            ending.lost(self.ranks.index(first) + 1)
        else:
            ending.failed(first.returncode)
