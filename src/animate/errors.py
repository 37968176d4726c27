"""The one exception that means: the input is wrong, and here is what to do about it."""

from __future__ import annotations

import errno

_NO_MEMORY = ("out of memory", "can't allocate memory", "ALLOC_FAILED", "std::bad_alloc")


class UserError(Exception):
    """Bad input, told in one line: what is wrong, where, and what to do.

    Every entry point (``train.py``, ``evaluate.py``, ``animate``) prints the message on stderr without a
    traceback and exits with code 2. Anything else that is raised is a defect of ours and keeps its traceback.
    """


def ran_out_of_memory(error: BaseException) -> bool:
    """Tell whether memory ran out: in Python, on a GPU, in its libraries or in torch's CPU allocator."""
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _NO_MEMORY)
