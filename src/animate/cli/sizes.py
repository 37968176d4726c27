"""Numbers on the command line."""

from __future__ import annotations

import argparse


def positive(text: str) -> int:
    """Read a whole number above 0."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return number


def frame_size(text: str) -> tuple[int, int]:
    """Read ``HEIGHTxWIDTH``, or a side of a square, as (height, width)."""
    height, _, width = text.lower().partition("x")
    try:
        return positive(height), positive(width or height)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text} is not HEIGHTxWIDTH") from None
