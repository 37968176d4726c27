"""``animate crop INPUT... --output FOLDER``: square clips of single faces or persons, ready for training."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from animate.cli.annotate import add_backend, annotate, tell
from animate.cli.drive import positive
from animate.errors import UserError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    from animate.annotate.tubes import Boxes
    from animate.cli.crop_files import Crops
    from animate.data.index import Clip

FINE, SOMETHING_WRONG = 0, 1
_SIZES = (16, 4096)


class Subject(NamedTuple):
    """What is cropped."""

    kind: str
    """The kind of annotation that finds it."""
    margin: float
    """Usual margin, as a share of the box."""
    backend: str
    """What finds it unless another is named: one that comes with ``animate``, free for any use."""


WHAT = {"face": Subject("faces", 0.5, "yunet"), "person": Subject("persons", 0.1, "keypoint_rcnn")}


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the arguments; nothing heavy is imported for that."""
    about = "cut square clips of single faces or persons out of videos"
    parser = subparsers.add_parser(
        "crop",
        help=about,
        description=f"{about.capitalize()}, with their sound, as a data folder for training "
        "(docs/cropping.md). Exit code 0: fine, 1: some input could not be read, 2: nothing could be done.",
    )
    parser.add_argument(
        "inputs", type=Path, nargs="+", metavar="INPUT", help="videos, frame folders, or folders of them"
    )
    parser.add_argument(
        "--output", type=Path, required=True, metavar="FOLDER", help="for clips, manifest and contact sheet"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace the clips of an earlier run")
    parser.add_argument("--boxes", type=Path, metavar="FILE", help="JSON with boxes, instead of a back-end")
    add_backend(parser)
    parser.add_argument("--what", choices=tuple(WHAT), default="face", help="default face")
    _add_framing(parser)
    parser.set_defaults(run=run)


def _add_framing(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--size", type=positive, default=256, metavar="PIXELS", help="side of the clips (default 256)"
    )
    parser.add_argument(
        "--margin",
        type=float,
        metavar="SHARE",
        help="added on each side, as a share of the box's longer side (default: face 0.5, person 0.1)",
    )
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--fixed", action="store_true", help="the square stands still in each clip (default)")
    mode.add_argument("--smooth", action="store_true", help="the square follows the figure smoothly")
    parser.add_argument(
        "--min-size", type=positive, default=64, metavar="PIXELS", help="least side of a box (default 64)"
    )
    parser.add_argument(
        "--min-length", type=float, default=1.0, metavar="SECONDS", help="of a clip (default 1)"
    )
    parser.add_argument(
        "--test-share", type=float, default=0.1, metavar="SHARE", help="of the inputs held out (default 0.1)"
    )


@dataclass(frozen=True, slots=True)
class Wanted:
    """What clips should be like."""

    size: int
    margin: float
    smooth: bool
    min_size: int
    min_length: float
    test_share: float

    @classmethod
    def of(cls, args: argparse.Namespace) -> Wanted:
        """Read the options. Raises ``UserError`` for values that make no sense."""
        margin = WHAT[args.what].margin if args.margin is None else args.margin
        if not 0 <= margin <= 10:
            raise UserError(f"--margin {margin:g}: give a share of the box from 0 to 10, such as 0.5")
        if not 0 <= args.test_share < 1:
            raise UserError(f"--test-share {args.test_share:g}: give a share from 0 up to 1, such as 0.1")
        if not args.min_length >= 0:
            raise UserError(f"--min-length {args.min_length:g}: give seconds, such as 1")
        if args.size % 2 or not _SIZES[0] <= args.size <= _SIZES[1]:
            raise UserError(f"--size {args.size}: give an even number from {_SIZES[0]} to {_SIZES[1]}")
        return cls(args.size, margin, args.smooth, args.min_size, args.min_length, args.test_share)


class Detected(NamedTuple):
    """Where figures are in each clip."""

    boxes: Callable[[Clip], list[Boxes]]
    clips: list[Clip]
    """Those that could be looked at."""
    failed: list[str]
    """The others: ``name: reason``."""


def run(args: argparse.Namespace) -> int:
    """Find figures, cut them out, and say what came out."""
    from animate.cli.console import terminable
    from animate.cli.crop_files import write_crops
    from animate.video.results import check_folder, results_folder

    wanted = Wanted.of(args)
    check_folder(args.output, args.overwrite)  # before the long part of the work
    if args.boxes is not None and args.backend is not None:
        raise UserError("give either --boxes FILE or --backend NAME: one of them says where the figures are")
    clips, problems = _clips(args.inputs)
    with terminable():
        detected = _from_file(args, clips) if args.boxes else _from_backend(args, clips)
        with results_folder(args.output, args.overwrite) as folder:
            crops = write_crops(detected, wanted, folder)
    failed = [*problems, *detected.failed, *crops.failed]
    _report(crops, args.output, failed)
    return SOMETHING_WRONG if failed else FINE


def _clips(inputs: Sequence[Path]) -> tuple[list[Clip], list[str]]:
    """Find videos and frame folders, each once; strips and single pictures hold no clip to cut."""
    from animate.annotate.find import find_clips
    from animate.data.clips import StripSource

    clips: dict[Path, Clip] = {}
    problems: list[str] = []
    for path in inputs:
        found = find_clips(path)
        problems += found.problems
        for clip in found.clips:
            if isinstance(clip.reader, StripSource):
                problems.append(f"{clip.name}: is a picture; only videos and frame folders are cropped")
            else:
                clips.setdefault(clip.path.resolve(), clip)
    if not clips:
        raise UserError(f"{inputs[0]}: nothing to crop; the first: {problems[0]}")
    return list(clips.values()), problems


def _from_file(args: argparse.Namespace, clips: list[Clip]) -> Detected:
    from animate.annotate.box_file import BoxFile

    file = BoxFile.read(args.boxes)
    boxes = {clip.path: file.boxes(clip, only=len(clips) == 1) for clip in clips}
    return Detected(lambda clip: boxes[clip.path], clips, [])


def _from_backend(args: argparse.Namespace, clips: list[Clip]) -> Detected:
    """Find boxes once and for all: they are kept as by ``animate annotate``, for other margins and sizes."""
    from animate.annotate.runner import Job
    from animate.annotate.tubes import boxes_by_frame
    from animate.sidecars import Sidecar, cache_folder

    kind, backend = WHAT[args.what].kind, args.backend or WHAT[args.what].backend
    outcome = annotate(Job(kind, backend, cache_folder()), clips, args.workers)
    if outcome.done:
        tell(kind, outcome)
    places = {clips[index].path: done.path for index, done in outcome.done.items()}

    def boxes(clip: Clip) -> list[Boxes]:
        with Sidecar(places[clip.path]) as sidecar:
            return boxes_by_frame(sidecar)

    return Detected(boxes, [clip for clip in clips if clip.path in places], outcome.failed)


def _report(crops: Crops, output: Path, failed: Sequence[str]) -> None:
    from animate.cli.console import counted

    for row in crops.rows:
        if row.notes:
            print(
                f"{row.clip or 'left out'}: {row.source}, {row.start_seconds:.2f} s: {'; '.join(row.notes)}"
            )
    for line in failed:
        print(f"not cropped: {line}")
    kept = [row for row in crops.rows if row.clip]
    seconds = sum(row.end_seconds - row.start_seconds for row in kept)
    test = sum(row.split == "test" for row in kept)
    print(f"{output}: {counted(len(kept), 'clip')}, {seconds:.1f} s ({len(kept) - test} train, {test} test)")
    if not test:
        print("none is held out, and training needs some: crop more inputs, or lower --min-length")
    print(f"look at {output / 'contact_sheet.png'}; train with data=manifest data.root={output}")
