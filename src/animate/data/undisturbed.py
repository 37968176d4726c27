"""Imported where data workers come from, and by nothing else: it ignores the signals that end a run.

Ctrl-C and schedulers signal all processes of a job. The trainer finishes its step and saves, for which it may
need another batch; so the workers, and the fork server that they take for their parent, outlive it.
"""

import signal

for name in ("SIGINT", "SIGTERM", "SIGUSR1"):
    if hasattr(signal, name):  # Windows has not all of them
        signal.signal(getattr(signal, name), signal.SIG_IGN)
