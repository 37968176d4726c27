"""``animate pose2vid prepare``: a data set of frames and poses from a video."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from animate.cli.drive import add_range
from animate.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from animate.pipelines.framing import Box
    from animate.pipelines.pose_set.recipe import PoseSet, Recipe, Segment

SMOOTHINGS = ("none", "median", "one-euro")
GREY = "#808080"
_SHOWN = 12


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the arguments; nothing heavy is imported for that."""
    parser = subparsers.add_parser(
        "prepare",
        help="make a data set of frames and poses from a video",
        description="Make a data set of frames and poses from a video of one person (docs/pose2vid.md). A run"
        " that was stopped goes on when it is started again.",
    )
    parser.add_argument(
        "--video", type=Path, required=True, metavar="PATH", help="a video, or a folder of frames"
    )
    parser.add_argument(
        "--output", type=Path, required=True, metavar="FOLDER", help="the data set; a new folder"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace another data set that is there")
    parser.add_argument(
        "--role",
        choices=("target", "source"),
        default="target",
        help="target: the person to learn, with a held-out part (default); source: the dance",
    )
    parser.add_argument(
        "--crop",
        default="centre",
        metavar="centre|person|x,y,width,height",
        help="part of the video: the largest in the middle (default), the person's, or a given one in pixels",
    )
    add_recipe(parser)
    _add_frames(parser)
    _add_poses(parser)
    parser.set_defaults(run=run)


def add_recipe(parser: argparse.ArgumentParser) -> None:
    """Declare what both a data set and ``run`` are made by."""
    parser.add_argument(
        "--size",
        type=size,
        default=(512, 512),
        metavar="HxW",
        help="of the frames (default 512x512), brought up to multiples of 32",
    )
    parser.add_argument(
        "--pose-backend",
        default="keypoint_rcnn",
        metavar="NAME",
        help="what finds poses that are not given (default keypoint_rcnn; puppet_person for drawn ones,"
        " mediapipe)",
    )
    parser.add_argument(
        "--smooth", choices=SMOOTHINGS, default="none", help="joints over time (default none)"
    )
    parser.add_argument(
        "--segment",
        metavar="NAME",
        help="replace the target's background: what cuts the person out (such as mask_rcnn), or sidecar:"
        " mattes that lie with the video",
    )
    parser.add_argument(
        "--background",
        metavar="COLOUR|FILE",
        help="what is put behind: a colour such as green or #00ff00, or a picture (default grey)",
    )


def _add_frames(parser: argparse.ArgumentParser) -> None:
    add_range(parser, "frame")
    parser.add_argument(
        "--fps", type=float, metavar="RATE", help="fewer frames per second than the video has"
    )
    parser.add_argument(
        "--test-share",
        type=float,
        default=0.2,
        metavar="SHARE",
        help="of the frames held out, the last in time (default 0.2)",
    )


def _add_poses(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--poses",
        type=Path,
        metavar="PATH",
        help="poses found elsewhere: OpenPose or COCO JSON, or NumPy arrays",
    )
    parser.add_argument(
        "--poses-size",
        type=size,
        metavar="HxW",
        help="of the pictures that they are of (default: the video's)",
    )


def size(text: str) -> tuple[int, int]:
    """Read ``HxW`` or one number for both."""
    height, _, width = text.lower().partition("x")
    try:
        sides = int(height), int(width or height)
    except ValueError:
        sides = (0, 0)
    if min(sides) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not HEIGHTxWIDTH in pixels")
    return sides


def recipe_of(args: argparse.Namespace) -> Recipe:
    """Collect the arguments. Raises ``UserError`` for values that make no sense."""
    from animate.pipelines.pose_set.recipe import Recipe, training_size

    if args.poses_size is not None and args.poses is None:
        raise UserError("--poses-size goes with --poses: it says of what pictures those poses are")
    return Recipe(
        role=args.role,
        size=training_size(*args.size),
        crop=_crop(args.crop),
        start=args.start,
        stop=args.stop,
        fps=args.fps,
        backend=args.pose_backend,
        poses=args.poses,
        poses_size=args.poses_size,
        smooth=args.smooth,
        test_share=args.test_share,
        segment=segment_of(args),
    )


def segment_of(args: argparse.Namespace) -> Segment | None:
    """Collect how the background is replaced, if it is. Raises ``UserError`` for values without sense."""
    from animate.pipelines.pose_set.recipe import Segment

    if args.segment is None:
        if args.background is not None:
            raise UserError("--background goes with --segment: it says what is put behind whom that cuts out")
        return None
    return Segment.parse(args.segment, GREY if args.background is None else args.background)


def _crop(text: str) -> Literal["centre", "person"] | Box:
    from animate.pipelines.framing import Box

    words: dict[str, Literal["centre", "person"]] = {"centre": "centre", "person": "person"}
    if text in words:
        return words[text]
    try:
        return Box.parse(text)
    except (ValueError, TypeError):
        raise UserError(f"--crop {text}: give centre, person, or x,y,width,height in pixels") from None


def run(args: argparse.Namespace) -> int:
    """Make the data set, and say what is in it."""
    from animate.cli.console import bar, terminable
    from animate.pipelines.pose_set.prepare import SHEET, prepare
    from animate.pipelines.pose_set.recipe import MANIFEST
    from animate.pipelines.pose_set.video import Footage

    recipe = recipe_of(args)
    there = (args.output / MANIFEST).is_file() and not args.overwrite
    footage = Footage.open(args.video, recipe)
    total = len(footage.numbers) * (1 if recipe.poses else 2)
    with terminable(), bar("poses", total) as advance:
        made = prepare(footage, args.output, recipe, overwrite=args.overwrite, advance=advance)
    if there:
        print("made before of the same video by the same recipe")
    for line in told(made, args.size):
        print(line)
    print(f"look at {args.output / SHEET}; check it: animate pose2vid check {args.output}")
    return 0


def told(made: PoseSet, wanted: tuple[int, int]) -> Iterator[str]:
    """Say what a data set holds, and what was not as it was asked for."""
    from animate.pipelines.pose_set.cutting import reaches_over

    height, width = made.size
    parts = ", ".join(f"{count} {split}" for split, count in _counts(made).items())
    yield f"{made.folder}: {len(made.numbers)} frames {width}x{height}, {made.fps:g} per second ({parts})"
    if made.size != wanted:
        yield f"{wanted[1]}x{wanted[0]} was brought up to multiples of 32"
    box = ",".join(map(str, made.box))
    yield f"poses: {made.recipe['version'].split()[0]}, {made.layout}; part of the video: {box}"
    if segment := made.recipe.get("segment"):
        yield f"background: {segment['background']}, behind mattes by {segment['made_by'].split()[0]}"
    if reaches_over(made.box, made.picture):
        yield (
            f"the part is larger than the video's {made.picture[1]}x{made.picture[0]} pixels, whose edge is"
            " repeated around it: a --size of another aspect would fit better"
        )
    if made.skipped:
        yield f"{len(made.skipped)} frames without a usable pose:"
    runs = _runs(made)
    for line in runs[:_SHOWN]:
        yield f"    {line}"
    if len(runs) > _SHOWN:
        yield f"    and {len(runs) - _SHOWN} more (all in manifest.json)"


def _counts(made: PoseSet) -> dict[str, int]:
    counts: dict[str, int] = {}
    for piece in made.pieces:
        split = piece.path.split("/")[0]
        counts[split] = counts.get(split, 0) + piece.count
    return counts


def _runs(made: PoseSet) -> list[str]:
    """List skipped frames by their numbers in the video, those in a row with one reason together."""
    runs: list[tuple[int, int, str]] = []
    for place, reason in sorted(made.skipped.items()):
        if runs and runs[-1][1] == place - 1 and runs[-1][2] == reason:
            runs[-1] = (runs[-1][0], place, reason)
        else:
            runs.append((place, place, reason))
    numbers = made.numbers
    return [
        f"frame {numbers[a]}: {reason}" if a == b else f"frames {numbers[a]} to {numbers[b]}: {reason}"
        for a, b, reason in runs
    ]
