"""``animate train``: what ``train.py`` does, from anywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb. Everything behind it is Hydra's, options too, so no character begins an option here."""
    parser = subparsers.add_parser(
        "train",
        help="train a model: animate train experiment=fomm_puppets",
        add_help=False,
        prefix_chars="\0",
    )
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Trains; leaves with the exit codes of ``train.py``."""
    from animate.training import main

    main(args.overrides)
    return 0
