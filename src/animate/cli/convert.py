"""``animate convert SOURCE``: published checkpoints to ours; one sub-verb per source."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

    SubParsers = argparse._SubParsersAction[argparse.ArgumentParser]


def add_parser(subparsers: SubParsers) -> None:
    """Add the verb and its sources to the command line."""
    parser = subparsers.add_parser(
        "convert",
        help="turn a published checkpoint into one of ours",
        description="Turn a checkpoint that others published into one to drive and to fine-tune.",
    )
    sources = parser.add_subparsers(title="sources", dest="source", metavar="SOURCE", required=True)
    _add_fomm(sources)


def _add_fomm(sources: SubParsers) -> None:
    parser = sources.add_parser(
        "fomm",
        help="First Order Motion Model (*-cpk.pth.tar with its YAML)",
        description="Convert a checkpoint of the First Order Motion Model as its authors published it.",
    )
    parser.add_argument("--config", type=Path, required=True, metavar="YAML", help="such as vox-adv-256.yaml")
    parser.add_argument(
        "--checkpoint", type=Path, required=True, metavar="FILE", help="such as vox-adv-cpk.pth.tar"
    )
    parser.add_argument("--output", type=Path, required=True, metavar="CKPT", help="where to write")
    parser.add_argument(
        "--allow-pickle",
        action="store_true",
        help="read a file that can run code while it is read; only for files whose origin you trust",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace an existing output")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Convert and tell what was converted."""
    from animate.checkpoints.convert import fomm

    print(
        fomm.convert(
            args.config,
            args.checkpoint,
            args.output,
            allow_pickle=args.allow_pickle,
            overwrite=args.overwrite,
        )
    )
    return 0
