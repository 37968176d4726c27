"""A training on behalf of another process: ``python -m animate.cli.attended KEY=VALUE ...``.

As ``animate train``, but when the process at the other end of its standard input ends, however that ends, it
stops as after SIGTERM, resumably. So a training never outlives the command that started it.
"""

from __future__ import annotations

import os
import signal
import sys
from threading import Thread


def _leave_with_the_other() -> None:
    """Wait until nobody holds the other end any more."""
    while os.read(0, 1):  # not by sys.stdin, whose lock would still be held at the end of the interpreter
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    from animate.training import main

    Thread(target=_leave_with_the_other, daemon=True).start()
    main(sys.argv[1:])
