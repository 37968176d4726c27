"""``animate matte INPUT... --output FOLDER``: cut figures out of pictures and videos, smooth in time."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from animate.errors import UserError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from animate.annotate.protocols import Matter
    from animate.pipelines.mattes import Matted, MatteSettings

FINE, SOMETHING_WRONG = 0, 1
BACKEND = "u2netp"
EDGES = 0.01


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the arguments; nothing heavy is imported for that."""
    about = "cut figures out of pictures and videos"
    parser = subparsers.add_parser(
        "matte",
        help=about,
        description=f"{about.capitalize()}: mattes in grey and a cut-out to look at, videos smooth in time "
        "(docs/mattes.md). Exit code 0: fine, 1: some input could not be used, 2: nothing could be done.",
    )
    parser.add_argument(
        "inputs", type=Path, nargs="+", metavar="INPUT", help="pictures, videos, folders of numbered pictures"
    )
    parser.add_argument("--output", type=Path, required=True, metavar="FOLDER", help="where the files go")
    maker = parser.add_mutually_exclusive_group()
    maker.add_argument(
        "--backend", default=BACKEND, metavar="NAME", help=f"what finds the mattes (default {BACKEND})"
    )
    maker.add_argument("--checkpoint", type=Path, metavar="FILE", help="a U²-Net of your own")
    parser.add_argument(
        "--smooth",
        choices=("causal", "offline", "none"),
        default="causal",
        help="videos over time: by what came before (default), by what comes after too, or not",
    )
    parser.add_argument(
        "--edges",
        type=float,
        nargs="?",
        const=EDGES,
        default=0.0,
        metavar="SHARE",
        help="draw mattes to edges of the picture that are at most so far away, as a share of the shorter "
        f"side (without a number {EDGES})",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace files that are there")
    parser.add_argument("--device", default="auto", help="auto (default), cpu, cuda, cuda:N or mps")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Cut out, and say what was found."""
    from animate.cli.console import terminable

    _check(args)
    settings, matter = _settings(args), _matter(args)
    new = not args.output.exists()
    args.output.mkdir(exist_ok=True)
    done, failed = 0, []
    with terminable():
        for path in args.inputs:
            try:
                tell(path, _one(matter, path, args.output, settings))
                done += 1
            except UserError as error:
                failed.append(str(error))
                if len(args.inputs) > 1:
                    print(f"failed: {error}", file=sys.stderr)
    if not done:
        if new:
            args.output.rmdir()
        several = len(failed) > 1
        raise UserError(f"no input could be used; the first: {failed[0]}" if several else failed[0])
    return SOMETHING_WRONG if failed else FINE


def _one(matter: Matter, path: Path, output: Path, settings: MatteSettings) -> Matted:
    from animate.cli.console import track
    from animate.pipelines.mattes import matte_file

    return matte_file(matter, path, output, settings, track)


def tell(path: Path, matted: Matted) -> None:
    """Print where the mattes of an input are, and whether there is anything in them."""
    from animate.cli.console import counted

    if matted.found:
        found = f"figure in {matted.found} of {counted(matted.frames, 'frame')}"
    else:
        found = f"nothing found in {counted(matted.frames, 'frame')}"
    print(f"{path}: {found}; {matted.matte}, {matted.preview}")


def _check(args: argparse.Namespace) -> None:
    """Raise ``UserError`` for what can be known to fail before any work is done."""
    if not 0 <= args.edges <= 0.1:
        raise UserError(f"--edges {args.edges:g}: give a share of the shorter side from 0 to 0.1, like 0.01")
    if args.output.exists() and not args.output.is_dir():
        raise UserError(f"--output {args.output} is a file; name a folder")
    if not args.output.parent.is_dir():
        raise UserError(
            f"--output {args.output}: the folder {args.output.parent} does not exist; create it first"
        )
    _check_targets(args.inputs, args.output, args.overwrite)


def _check_targets(inputs: Sequence[Path], output: Path, overwrite: bool) -> None:
    """Refuse two inputs for one file, and files that are there already."""
    from animate.pipelines.mattes import free_targets

    taken: dict[Path, Path] = {}
    for path in inputs:
        for target in free_targets(path, output, overwrite):
            if target in taken:
                raise UserError(
                    f"{taken[target]} and {path} would both become {target}; cut them out into two folders"
                )
            taken[target] = path


def _settings(args: argparse.Namespace) -> MatteSettings:
    from animate.pipelines.device import resolve
    from animate.pipelines.mattes import MatteSettings

    return MatteSettings(
        smooth=args.smooth, edges=args.edges, device=str(resolve(args.device)), overwrite=args.overwrite
    )


def _matter(args: argparse.Namespace) -> Matter:
    from animate.annotate import backends
    from animate.annotate.u2net import U2NetMattes
    from animate.pipelines.device import resolve

    if args.checkpoint is not None:
        return U2NetMattes(args.checkpoint, device=str(resolve(args.device)))
    return backends.mattes(args.backend)
