"""The one exception that means: the input is wrong, and here is what to do about it."""

from __future__ import annotations


class UserError(Exception):
    """Bad input, told in one line: what is wrong, where, and what to do.

    Every entry point (``train.py``, ``evaluate.py``, ``animate``) prints the message on stderr without a
    traceback and exits with code 2. Anything else that is raised is a defect of ours and keeps its traceback.
    """
