"""``animate inpaint --image PHOTO --output PLATE``: pictures and videos without the person, clean plates."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from animate.cli import inpaint_compare
from animate.errors import UserError

if TYPE_CHECKING:
    import argparse

    from animate.pipelines.inpaint import Filler, HoleFinder

MOST = 0.6


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the arguments; nothing heavy is imported for that."""
    about = "fill the background behind a person"
    parser = subparsers.add_parser(
        "inpaint",
        help=about,
        description=f"{about.capitalize()}: of a picture; of a video frame by frame; or, where the output "
        "for a video is a picture, from what the whole video shows, and by the network only where it never "
        "shows it (docs/inpainting.md).",
    )
    inpaint_compare.add_parser(parser.add_subparsers(metavar="compare", title="instead"))
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--image", type=Path, metavar="FILE", help="a picture")
    source.add_argument(
        "--video", type=Path, metavar="FILE", help="a video, or a folder of numbered pictures"
    )
    parser.add_argument("--output", type=Path, metavar="FILE", help="a picture, or a video")
    background = parser.add_mutually_exclusive_group()
    background.add_argument(
        "--checkpoint", type=Path, metavar="CKPT", help="a background network; a plate may do without"
    )
    background.add_argument(
        "--plate", type=Path, metavar="FILE", help="a clean picture of the background, instead of a network"
    )
    holes = parser.add_mutually_exclusive_group()
    holes.add_argument(
        "--mask", type=Path, metavar="FILE", help="a picture or a video that is white where is to be filled"
    )
    holes.add_argument(
        "--matte", type=Path, metavar="FILE", help="the person's matte, as animate matte writes it"
    )
    holes.add_argument(
        "--matte-backend",
        metavar="NAME",
        help="what finds the person, such as u2netp or a U²-Net's FILE.ckpt",
    )
    parser.add_argument(
        "--variant",
        choices=("own", "v1", "v2", "v2.1", "v3"),
        default="own",
        help="how the hole is made of a matte (default own)",
    )
    parser.add_argument(
        "--max-share",
        type=float,
        default=MOST,
        metavar="SHARE",
        help=f"the largest share of the picture that a hole may take (default {MOST:g})",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace a file that is there")
    parser.add_argument("--device", default="auto", help="auto (default), cpu, cuda, cuda:N or mps")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Fill, and say what was filled."""
    from animate.cli.console import terminable

    _check(args)
    filler, finder = _filler(args), _finder(args)
    with terminable():
        if args.image is not None:
            print(_picture(args, finder, filler))
        elif _is_picture(args.output):
            print(_plate(args, finder, filler))
        else:
            print(_video(args, finder, filler))
    return 0


def _check(args: argparse.Namespace) -> None:
    """Raise ``UserError`` for what can be known to fail before any work is done."""
    # Not required of the parser, since `animate inpaint compare` takes none of them.
    for given, names in (
        (args.image or args.video, "--image or --video"),
        (args.output, "--output"),
        (args.mask or args.matte or args.matte_backend, "--mask, --matte or --matte-backend"),
    ):
        if given is None:
            raise UserError(f"{names} is missing; see `animate inpaint --help`")
    if not 0 < args.max_share <= 1:
        raise UserError(f"--max-share {args.max_share:g}: give a share of the picture, above 0 and at most 1")
    if args.image is not None and not _is_picture(args.output):
        raise UserError(f"--output {args.output}: a picture becomes a picture; use .png or .jpg")
    source = args.image or args.video
    if args.output.exists() and args.output.resolve() == source.resolve():
        raise UserError(f"--output {args.output} is what is to be filled; name another file")
    if args.output.exists() and not args.overwrite:
        raise UserError(f"{args.output} exists; name another --output or pass --overwrite")
    if not args.output.absolute().parent.is_dir():
        raise UserError(f"--output {args.output}: the folder {args.output.parent} does not exist; create it")
    filled = args.checkpoint is not None or args.plate is not None
    if not filled and (args.image is not None or not _is_picture(args.output)):
        raise UserError("--checkpoint or --plate is missing: only the plate of a video can do without")


def _is_picture(path: Path) -> bool:
    from animate.video.image import PICTURE_SUFFIXES

    return path.suffix.lower() in PICTURE_SUFFIXES


def _filler(args: argparse.Namespace) -> Filler | None:
    from animate import checkpoints
    from animate.pipelines.device import resolve
    from animate.pipelines.inpaint import NetworkFiller, PlateFiller

    if args.plate is not None:
        return PlateFiller(args.plate)
    if args.checkpoint is None:
        return None
    return NetworkFiller(checkpoints.load(args.checkpoint, resolve(args.device), method="inpainting"))


def _finder(args: argparse.Namespace) -> HoleFinder:
    from animate.annotate import backends
    from animate.pipelines.inpaint import FileHoles, MatteHoles

    if args.mask is not None:
        return FileHoles(args.mask)
    if args.matte is not None:
        return FileHoles(args.matte, args.variant)
    return MatteHoles(backends.mattes(args.matte_backend), args.variant)


def _picture(args: argparse.Namespace, finder: HoleFinder, filler: Filler | None) -> str:
    from animate.pipelines.inpaint import fill_picture

    assert filler is not None
    filled = fill_picture(args.image, args.output, finder, filler, args.max_share)
    return f"{args.image}: {filled.share:.1%} of the picture filled; {args.output}"


def _video(args: argparse.Namespace, finder: HoleFinder, filler: Filler | None) -> str:
    from animate.cli.console import counted, track
    from animate.pipelines.inpaint import fill_video

    assert filler is not None
    filled = fill_video(
        args.video, args.output, finder, filler, args.max_share, overwrite=args.overwrite, track=track
    )
    left = f", {filled.empty} without a hole" if filled.empty else ""
    frames = counted(filled.frames, "frame")
    return f"{args.video}: {filled.share:.1%} of the picture filled on average, {frames}{left}; {args.output}"


def _plate(args: argparse.Namespace, finder: HoleFinder, filler: Filler | None) -> str:
    from animate.cli.console import counted, track
    from animate.pipelines.plate import plate_file

    made = plate_file(args.video, args.output, finder, filler, track=track)
    moved = f", the camera moved by up to {made.motion:.1f} px" if made.motion >= 1 else ""
    seen = f"{1 - made.unseen:.2%} of the picture was seen in {counted(made.frames, 'frame')}{moved}"
    rest = f"; {made.unseen:.2%} filled by the network" if made.unseen else ""
    return f"{args.video}: {seen}{rest}; {args.output}"
