"""Signals that end a run are not for data workers.

Ctrl-C and schedulers signal all processes of a job. The trainer finishes its step and saves, for which it may
need another batch; so the workers, and the fork server that they take for their parent, outlive it.

The fork server imports this module, and nothing else does but in functions: the import has the effect.
"""

import signal


def ignore_signals() -> None:
    """Ignore Ctrl-C, SIGTERM and SLURM's warning in this process, and in those that are forked from it."""
    for name in ("SIGINT", "SIGTERM", "SIGUSR1"):
        if hasattr(signal, name):  # Windows has not all of them
            signal.signal(getattr(signal, name), signal.SIG_IGN)


ignore_signals()
