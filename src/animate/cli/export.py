"""``animate export --format FORMAT``: networks of ours for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from animate.cli.published import add_output, add_pickle
from animate.errors import UserError

if TYPE_CHECKING:
    import argparse

    SubParsers = argparse._SubParsersAction[argparse.ArgumentParser]

PRECISIONS = ("fp32", "fp16", "int8")
BACKGROUNDS = ("impersonator", "ipercore")


def add_parser(subparsers: SubParsers) -> None:
    """Declare the arguments; nothing heavy is imported for that."""
    parser = subparsers.add_parser(
        "export",
        help="write a network for other programs: ONNX, or a published file",
        description="Write a network of ours as ONNX (docs/inference.md), or a fine-tuned background network"
        " under its published names, for the program that it came from (docs/checkpoints.md).",
    )
    parser.add_argument(
        "--format",
        required=True,
        choices=("onnx", *BACKGROUNDS),
        help="onnx: First Order Motion Models and pose2vid; the others: background networks",
    )
    parser.add_argument("--checkpoint", type=Path, required=True, metavar="CKPT", help="of ours")
    add_output(parser, "PATH", "where to write: a folder for ONNX, else a file")
    _add_onnx(parser.add_argument_group("--format onnx"))
    _add_backgrounds(parser.add_argument_group("other formats"))
    parser.set_defaults(run=run)


def _add_onnx(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--precision", choices=PRECISIONS, help="of the convolutions (default fp32)")
    group.add_argument(
        "--calibration",
        type=Path,
        metavar="PATH",
        help="what errors are measured on, and int8 is fitted to: a video or a folder of pictures; for"
        " pose2vid a prepared data set or a clip with poses",
    )


def _add_backgrounds(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--into",
        type=Path,
        metavar="FILE",
        help="a published file whose background network is replaced; all else of it is written as it is",
    )
    add_pickle(group, "an --into")


def run(args: argparse.Namespace) -> int:
    """Write and tell what was written."""
    if args.format == "onnx":
        _refuse(args, into=args.into, allow_pickle=args.allow_pickle)
        print(_onnx(args))
    else:
        _refuse(args, precision=args.precision, calibration=args.calibration)
        print(_background(args))
    return 0


def _refuse(args: argparse.Namespace, **foreign: object) -> None:
    given = [f"--{name.replace('_', '-')}" for name, value in foreign.items() if value]
    if given:
        raise UserError(f"--format {args.format} does not go with {' and '.join(given)}; leave it out")


def _onnx(args: argparse.Namespace) -> str:
    from animate.cli.console import terminable
    from animate.pipelines.onnx.export import export

    with terminable():
        return export(
            args.checkpoint,
            args.output,
            precision=args.precision or "fp32",
            calibration=args.calibration,
            overwrite=args.overwrite,
        )


def _background(args: argparse.Namespace) -> str:
    from animate.checkpoints.convert import inpainting

    return inpainting.export(
        args.checkpoint,
        args.output,
        args.format,
        into=args.into,
        allow_pickle=args.allow_pickle,
        overwrite=args.overwrite,
    )
