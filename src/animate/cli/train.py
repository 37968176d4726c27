"""``animate train``: what ``train.py`` does, from anywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb."""
    add_hydra_parser(subparsers, "train", "train a model: animate train experiment=fomm_puppets", run)


def add_hydra_parser(
    subparsers: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    help_line: str,
    work: Callable[[argparse.Namespace], int],
) -> None:
    """Add a verb behind which everything is Hydra's, options too: no character begins an option here."""
    parser = subparsers.add_parser(name, help=help_line, add_help=False, prefix_chars="\0")
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE")
    parser.set_defaults(run=work)


def run(args: argparse.Namespace) -> int:
    """Trains; leaves with the exit codes of ``train.py``."""
    from animate.training import main

    main(args.overrides)
    return 0
