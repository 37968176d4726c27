"""``animate score``: what ``evaluate.py`` does, from anywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from animate.cli.train import add_hydra_parser

if TYPE_CHECKING:
    import argparse


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb."""
    add_hydra_parser(
        subparsers, "score", "score a checkpoint: animate score checkpoint=best.ckpt data=puppets", run
    )


def run(args: argparse.Namespace) -> int:
    """Score; leaves with the exit codes of ``evaluate.py``."""
    from animate.training import evaluate_main

    evaluate_main(args.overrides)
    return 0
