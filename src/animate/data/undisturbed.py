"""Imported by the fork server that data workers come from, and by nothing else: it ignores SIGTERM then.

A scheduler sends SIGTERM to all processes of a job. The trainer finishes its step and saves, for which it may
need another batch; so the workers, and the server that they take for their parent, live until it has gone.
"""

import signal

signal.signal(signal.SIGTERM, signal.SIG_IGN)
