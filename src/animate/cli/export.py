"""``animate export PROGRAM``: networks of ours back into the files of the programs they came from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

    SubParsers = argparse._SubParsersAction[argparse.ArgumentParser]


def add_parser(subparsers: SubParsers) -> None:
    """Add the verb and its programs to the command line."""
    parser = subparsers.add_parser(
        "export",
        help="put a fine-tuned network back into a published file",
        description="Write a network of ours under its published names, for the program it came from.",
    )
    programs = parser.add_subparsers(title="programs", dest="layout", metavar="PROGRAM", required=True)
    for layout, name in (("impersonator", "Impersonator"), ("ipercore", "iPERCore")):
        _add_background(programs.add_parser(layout, help=f"background network of {name}"), name)


def _add_background(parser: argparse.ArgumentParser, program: str) -> None:
    parser.description = f"Write a background network as {program} reads it."
    parser.add_argument("--checkpoint", type=Path, required=True, metavar="CKPT", help="of ours")
    parser.add_argument(
        "--into",
        type=Path,
        metavar="FILE",
        help="a published file whose background network is replaced; all else of it is written as it is",
    )
    parser.add_argument("--output", type=Path, required=True, metavar="FILE", help="where to write")
    parser.add_argument(
        "--allow-pickle",
        action="store_true",
        help="read an --into that can run code while it is read; only if you trust where it comes from",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace an existing output")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write and tell what was written."""
    from animate.checkpoints.convert import inpainting

    print(
        inpainting.export(
            args.checkpoint,
            args.output,
            args.layout,
            into=args.into,
            allow_pickle=args.allow_pickle,
            overwrite=args.overwrite,
        )
    )
    return 0
