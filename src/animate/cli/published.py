"""Arguments that the verbs share which read and write files of others: ``convert`` and ``export``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse


def add_output(parser: argparse.ArgumentParser, metavar: str, help_text: str = "where to write") -> None:
    """Declare ``--output`` and ``--overwrite``."""
    parser.add_argument("--output", type=Path, required=True, metavar=metavar, help=help_text)
    parser.add_argument("--overwrite", action="store_true", help="replace an existing output")


def add_pickle(parser: argparse._ActionsContainer, what: str = "a file") -> None:
    """Declare ``--allow-pickle``."""
    parser.add_argument(
        "--allow-pickle",
        action="store_true",
        help=f"read {what} that can run code while it is read; only if you trust where it comes from",
    )
