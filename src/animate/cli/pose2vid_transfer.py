"""``animate pose2vid transfer``: let the learned person dance."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

from animate.cli.drive import add_compute, add_range, natural
from animate.cli.pose2vid_prepare import size as height_and_width

if TYPE_CHECKING:
    import argparse

    from animate.pipelines.transfer_files import Summary, TransferSettings

NORMALIZATIONS = ("none", "global", "per-frame")
HOLD = 12


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the arguments; nothing heavy is imported for that."""
    parser = subparsers.add_parser(
        "transfer",
        help="let the person that a model has learned dance like another",
        description="Let the person that a model has learned dance like another (docs/pose2vid.md).",
    )
    parser.add_argument(
        "--checkpoint", type=Path, required=True, metavar="FILE", help="trained or converted model"
    )
    parser.add_argument(
        "--target",
        type=Path,
        required=True,
        metavar="PATH",
        help="the data set that it was trained on, or a video that has its poses beside it",
    )
    parser.add_argument(
        "--source",
        type=Path,
        required=True,
        metavar="PATH",
        help="the dance: a prepared source, or a video that has its poses beside it",
    )
    parser.add_argument(
        "--output",
        type=Path,
        required=True,
        metavar="PATH",
        help=".mp4, .webm, .gif, or a folder for PNG files",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace existing output files")
    add_range(parser, "source frame")
    parser.add_argument(
        "--size",
        type=height_and_width,
        metavar="HxW",
        help="of the pictures (default: as in training, else as of the target)",
    )
    parser.add_argument(
        "--grid",
        action="store_true",
        help="also write source, pose and result side by side: OUTPUT_grid.mp4, .gif and .png",
    )
    add_dance(parser)
    add_compute(parser)
    parser.set_defaults(run=run)


def add_dance(parser: argparse.ArgumentParser) -> None:
    """Declare how the poses are treated, and whether there is sound."""
    parser.add_argument(
        "--normalize",
        choices=NORMALIZATIONS,
        default="global",
        help="bring the poses to the target's size and place (default: by the range over the whole video)",
    )
    parser.add_argument(
        "--hold",
        type=natural,
        default=HOLD,
        metavar="N",
        help=f"frames for which a pose stands for missing ones (default {HOLD}); then frames get a red rim",
    )
    parser.add_argument("--no-audio", action="store_true", help="leave the source's sound out")


def run(args: argparse.Namespace) -> int:
    """Let the person dance, and say what was written."""
    from animate.pipelines.transfer_files import TransferSettings

    settings = TransferSettings(  # before the checkpoint is read, which takes longer than a slip in options
        normalize=args.normalize,
        hold=args.hold,
        size=args.size,
        grid=args.grid,
        start=args.start,
        stop=args.stop,
        audio=not args.no_audio,
        overwrite=args.overwrite,
    )
    dance(args, args.checkpoint, (args.target, args.source), args.output, settings)
    return 0


def dance(
    args: argparse.Namespace,
    checkpoint: Path,
    clips: tuple[Path, Path],
    output: Path,
    settings: TransferSettings,
) -> None:
    """Load the model and let it dance; print what was written.

    Args:
        args: ``device`` and ``batch_size`` are used.
        checkpoint: the model.
        clips: target and source.
        output: where to.
        settings: what to do; the batch size and, unless given, the size follow from the model.

    Raises:
        UserError: something about the files or the settings.

    """
    from dataclasses import replace

    from animate import checkpoints
    from animate.cli.console import at_once, terminable, track
    from animate.pipelines.device import resolve
    from animate.pipelines.posed import Dance, Person
    from animate.pipelines.transfer import suitable_batch_size
    from animate.pipelines.transfer_files import transfer_file
    from animate.training.resume import trained_size

    person, source = Person.open(clips[0]), Dance.open(clips[1])
    networks = checkpoints.load(checkpoint, resolve(args.device), method="pix2pixhd")
    size = settings.size or trained_size(checkpoint) or person.size
    batch_size = args.batch_size or suitable_batch_size(networks, size)
    started = perf_counter()
    with terminable(), at_once(batch_size):
        settings = replace(settings, size=size, batch_size=batch_size)
        summary = transfer_file(networks, person, source, output, settings, track)
    print(told(output, summary, perf_counter() - started))


def told(output: Path, summary: Summary, seconds: float) -> str:
    """Say in a line what was written."""
    text = f"{output}: {summary.frames} frames, {summary.frames / seconds:.1f} frames/s"
    if summary.held:
        text += f"; {summary.held} without a usable pose show the one before"
    if summary.marked:
        text += f"; {summary.marked} have a red rim, as no pose was found for longer"
    return text
