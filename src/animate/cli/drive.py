"""``animate drive``: move a picture like a video."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

from animate.errors import UserError

if TYPE_CHECKING:
    from animate.pipelines.files import DriveSettings
    from animate.pipelines.framing import Box


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the arguments; nothing heavy is imported for that."""
    about = "animate a picture with the motion of a video"
    parser = subparsers.add_parser(
        "drive", help=about, description=f"{about.capitalize()} (docs/inference.md)."
    )
    _add_files(parser)
    _add_motion(parser)
    _add_framing(parser)
    add_compute(parser)
    parser.set_defaults(run=run)


def _add_files(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--checkpoint", type=Path, required=True, metavar="FILE", help="trained or converted model"
    )
    parser.add_argument("--source", type=Path, required=True, metavar="PICTURE", help="what is animated")
    parser.add_argument(
        "--driving",
        type=Path,
        required=True,
        metavar="VIDEO",
        help="what moves it: a video or a folder of pictures",
    )
    parser.add_argument(
        "--output",
        type=Path,
        required=True,
        metavar="PATH",
        help=".mp4, .webm, .gif, or a folder for PNG files",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace an existing output file")
    parser.add_argument("--no-audio", action="store_true", help="leave the driving video's sound out")
    add_range(parser, "driving frame")


def add_range(parser: argparse.ArgumentParser, what: str) -> None:
    """Declare ``--start`` and ``--stop`` of these frames."""
    parser.add_argument("--start", type=natural, default=0, metavar="N", help=f"first {what}, from 0")
    parser.add_argument("--stop", type=natural, metavar="N", help=f"the {what} before which to stop")


def _add_motion(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--absolute",
        action="store_true",
        help="take the driving pose itself, not its change since the start frame",
    )
    parser.add_argument(
        "--adapt-scale",
        action="store_true",
        help="scale movement by the sizes of the two objects (relative only)",
    )
    parser.add_argument(
        "--best-frame",
        type=_best_frame,
        metavar="auto|N|BACKEND",
        help="driving frame in the pose of the source, found by the model's keypoints (auto), given by its "
        "number, or found by the landmarks of a back-end (dlib; docs/annotation.md); relative only",
    )
    parser.add_argument(
        "--smooth", action="store_true", help="take the tremble out of the driving motion (one-euro filter)"
    )


def _add_framing(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--size",
        choices=("model", "keep"),
        default="model",
        help="the model's square (default), or the whole source picture with the animated square pasted back",
    )
    box = "x,y,width,height in pixels; default: the biggest square in the middle"
    parser.add_argument("--box", metavar="BOX", help=f"the part of the source that is animated: {box}")
    parser.add_argument(
        "--driving-box", metavar="BOX", help=f"the part of the driving frames that is used: {box}"
    )
    parser.add_argument(
        "--grid", action="store_true", help="show source, driving frame and result side by side"
    )


def add_compute(parser: argparse.ArgumentParser) -> None:
    """Declare ``--batch-size`` and ``--device``."""
    parser.add_argument(
        "--batch-size", type=positive, metavar="N", help="frames at once (default 8; fewer on a CPU)"
    )
    parser.add_argument("--device", default="auto", help="auto (default), cpu, cuda, cuda:N or mps")


def natural(text: str) -> int:
    """Read a whole number from 0."""
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{text} is below 0")
    return value


def positive(text: str) -> int:
    """Read a whole number from 1."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is below 1")
    return value


def _best_frame(text: str) -> int | str:
    if text == "auto":
        return text
    try:
        return natural(text)
    except ValueError:
        from animate.annotate.backends import LANDMARKS

        if text in LANDMARKS:
            return text
        known = ", ".join(sorted(LANDMARKS))
        raise argparse.ArgumentTypeError(
            f"{text!r} is neither auto, nor a frame number, nor a back-end of landmarks ({known})"
        ) from None


def run(args: argparse.Namespace) -> int:
    """Animate and say what was written."""
    from animate import checkpoints
    from animate.cli.console import terminable, track
    from animate.networks.inference import for_inference
    from animate.pipelines.device import resolve
    from animate.pipelines.drive import suitable_batch_size
    from animate.pipelines.files import drive_file

    settings = _settings(args)  # before the checkpoint is read, which takes longer than a slip in the options
    networks = for_inference(checkpoints.load(args.checkpoint, resolve(args.device), method="fomm"))
    settings = replace(settings, batch_size=args.batch_size or suitable_batch_size(networks))
    started = perf_counter()
    with terminable():
        count = drive_file(networks, args.source, args.driving, args.output, settings, track)
    print(f"{args.output}: {count} frames, {count / (perf_counter() - started):.1f} frames/s")
    return 0


def _settings(args: argparse.Namespace) -> DriveSettings:
    from animate.pipelines.files import DriveSettings

    return DriveSettings(
        relative=not args.absolute,
        adapt_scale=args.adapt_scale,
        best_frame=args.best_frame,
        smooth=args.smooth,
        keep_size=args.size == "keep",
        box=_box("--box", args.box),
        driving_box=_box("--driving-box", args.driving_box),
        grid=args.grid,
        start=args.start,
        stop=args.stop,
        audio=not args.no_audio,
        overwrite=args.overwrite,
    )


def _box(option: str, text: str | None) -> Box | None:
    from animate.pipelines.framing import Box

    if text is None:
        return None
    try:
        return Box.parse(text)
    except (TypeError, ValueError):
        raise UserError(
            f"{option} {text}: give x,y,width,height in whole pixels, such as 40,0,512,512"
        ) from None
