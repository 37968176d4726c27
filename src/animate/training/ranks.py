"""The processes that Lightning starts for other ranks: when one fails all end, with one line and one code.

Lightning would kill the first rank (exit code -9), or leave it waiting for a rank that has gone.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

from pytorch_lightning.strategies.launchers.subprocess_script import _SubprocessScriptLauncher
from typing_extensions import override

from animate.training import folders

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytorch_lightning import Trainer

GRACE = 3.0
"""Seconds for which another rank keeps an error to itself: mostly the first meets the same and tells it."""
_PATIENCE = 5.0  # seconds for the first rank to notice that another has gone, before it is ended
_POLL = 0.2


def started_by_lightning() -> bool:
    """Whether this process is a rank that the first one has started, not torchrun or SLURM."""
    return folders.local_rank() > 0 and folders.job_id() is None


def let_the_first_rank_speak() -> None:
    """Wait in another rank, before it tells of an error: the first rank ends it when it has told the same."""
    if started_by_lightning():
        time.sleep(GRACE)


class Launcher(_SubprocessScriptLauncher):
    """Starts the ranks as Lightning does, and watches them in its own way.

    A rank that fails tells why and leaves with its exit code; the others end without a word, the first one
    with the same code. A rank that was killed is told of.

    Args:
        like: the launcher that Lightning has made.

    """

    def __init__(self, like: _SubprocessScriptLauncher) -> None:
        super().__init__(like.cluster_environment, like.num_processes, like.num_nodes)

    @override
    def launch(
        self, function: Callable[..., Any], *args: Any, trainer: Trainer | None = None, **kwargs: Any
    ) -> Any:
        """Start the other ranks where that has not been done yet, and call the function.

        Raises:
            SystemExit: another rank failed first, and this one only lost the connection to it.

        """
        if not self.cluster_environment.creates_processes_externally:
            self.cluster_environment.validate_settings(self.num_processes, self.num_nodes)
            self._call_children_scripts()
            threading.Thread(target=self._watch, daemon=True).start()
        try:
            return super().launch(function, *args, trainer=trainer, **kwargs)
        except Exception:
            time.sleep(2 * _POLL if self.procs else 0)  # a rank whose connection has closed is about to end
            code = self._failed()
            self.kill(signal.SIGKILL)
            if code is not None:
                raise SystemExit(code) from None
            raise

    def _failed(self) -> int | None:
        """Return the exit code of a rank that has failed, as a shell counts signals."""
        failed = [code for process in self.procs if (code := process.poll())]
        if not failed:
            return None
        code = max(failed)  # its own one before those of ranks that were ended because of it
        return code if code > 0 else 128 - code

    def _watch(self) -> None:
        """End all when one has failed; runs beside the first rank, which may be stuck in a collective."""
        while (code := self._failed()) is None:
            if all(process.returncode == 0 for process in self.procs):
                return
            time.sleep(_POLL)
        for rank, process in enumerate(self.procs, 1):
            if (process.returncode or 0) < 0:
                told = f"the process of rank {rank} was ended by signal {-process.returncode}"
                print(f"animate: error: {told}; all others end too", file=sys.stderr, flush=True)
        self.kill(signal.SIGKILL)
        time.sleep(_PATIENCE)
        folders.remove_handed_down()
        os._exit(code)
