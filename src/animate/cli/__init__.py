"""The ``animate`` command: one file per verb, each with ``add_parser(subparsers)`` and ``run(args)``."""

from animate.cli.main import main

__all__ = ["main"]
