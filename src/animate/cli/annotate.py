"""``animate annotate KIND PATH``: landmarks, poses, faces, mattes into sidecars, found or imported."""

from __future__ import annotations

import sys
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from animate.cli.drive import positive
from animate.errors import UserError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    from animate.annotate.imported import ImportJob
    from animate.annotate.protocols import Backend
    from animate.annotate.runner import Annotated, Job
    from animate.annotate.workers import Done, Failed
    from animate.data.index import Clip

KINDS = ("landmarks", "pose", "faces", "persons", "identity", "mattes")
BESIDE = "beside"
FINE, SOMETHING_WRONG = 0, 1
_BROKEN_SHOWN = 6


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the arguments; nothing heavy is imported for that."""
    about = "find landmarks, poses, faces, identities or mattes in clips"
    parser = subparsers.add_parser(
        "annotate",
        help=about,
        description=f"{about.capitalize()}, and keep them in sidecars (docs/annotation.md). What is done is "
        "not done again, so a run that was stopped goes on. Exit code 0: fine, 1: some clip could not be "
        "annotated, 2: nothing could be done.",
    )
    parser.add_argument("kind", choices=KINDS, metavar="KIND", help=", ".join(KINDS))
    parser.add_argument(
        "path",
        type=Path,
        metavar="PATH",
        help="a clip, a picture, a folder of clips, a data folder, or a list",
    )
    parser.add_argument(
        "--import",
        dest="imported",
        type=Path,
        metavar="FILES",
        help="instead of a back-end: poses or mattes of other programs, a file or a folder with one per clip",
    )
    add_backend(parser)
    parser.add_argument(
        "--output",
        default="",
        metavar="beside|FOLDER",
        help="where sidecars go: beside the clips, or a folder (default: the user's cache)",
    )
    parser.add_argument("--overwrite", action="store_true", help="annotate anew what has been done before")
    parser.add_argument(
        "--sheet", type=Path, metavar="FILE", help="contact sheet (default: with the sidecars)"
    )
    parser.set_defaults(run=run)


def add_backend(parser: argparse.ArgumentParser) -> None:
    """Declare ``--backend`` and ``--workers``."""
    parser.add_argument("--backend", metavar="NAME", help="what finds it, such as dlib or puppet")
    parser.add_argument(
        "--workers", type=positive, metavar="N", help="clips at the same time (default: one per processor)"
    )


@dataclass(slots=True)
class Outcome:
    """What became of all clips."""

    backend: Backend
    clips: Sequence[Clip]
    done: dict[int, Annotated] = field(default_factory=dict)
    """By the clip's place in the list."""
    failed: list[str] = field(default_factory=list)
    """Each ``name: reason``."""


def run(args: argparse.Namespace) -> int:
    """Annotate, draw the sheet and say what was found."""
    from animate.annotate.find import find_clips
    from animate.cli.console import terminable

    _check(args)
    clips, problems = find_clips(args.path)
    with terminable():
        outcome = annotate(_job(args, only=len(clips) == 1), clips, args.workers)
        outcome.failed[:0] = problems
        if not outcome.done:
            several = len(outcome.failed) > 1
            first = f"no clip could be annotated; the first: {outcome.failed[0]}"
            raise UserError(first if several else f"{args.kind}: {outcome.failed[0]}")
        tell(args.kind, outcome)
        print(f"look at {_write_sheet(args, outcome)}")
    return SOMETHING_WRONG if outcome.failed else FINE


def _check(args: argparse.Namespace) -> None:
    """Raise ``UserError`` for options that make no sense, before any work is done."""
    from animate.video.atomic import check_target
    from animate.video.image import check_picture_name

    if (args.backend is None) == (args.imported is None):
        raise UserError("give either --backend NAME or --import FILES: where the annotations come from")
    if args.sheet is not None:
        check_target(args.sheet, overwrite=True)
        check_picture_name(args.sheet)
    folder = _folder(args)
    if folder is not None and args.path.resolve() in folder.resolve().parents:
        raise UserError(f"--output {folder} lies in {args.path}: name a folder outside, or beside")


def _folder(args: argparse.Namespace) -> Path | None:
    from animate.sidecars import cache_folder

    if args.output == BESIDE:
        return None
    return Path(args.output) if args.output else cache_folder()


def _job(args: argparse.Namespace, only: bool) -> Job | ImportJob:
    from animate.annotate.imported import ImportJob
    from animate.annotate.runner import Job

    if args.imported is None:
        return Job(args.kind, args.backend, _folder(args), args.overwrite)
    return ImportJob(args.kind, args.imported, only, _folder(args), args.overwrite)


def annotate(job: Job | ImportJob, clips: Sequence[Clip], workers: int | None) -> Outcome:
    """Annotate clips in processes under a progress bar; what fails is told at once, if there are several.

    The back-end is made here first: what keeps it from being made stops the run before it begins.
    """
    from animate.annotate.workers import Tick, process
    from animate.cli.console import bar
    from animate.cores import usable_cores

    outcome = Outcome(job().backend, clips)
    _prepare(job.folder, clips)
    what = f"{job.kind}: 0/{len(clips)} clips"
    with (
        bar(what, sum(clip.num_frames for clip in clips)) as advance,
        closing(process(job, clips, workers or usable_cores())) as messages,
    ):
        for message in messages:
            if isinstance(message, Tick):
                advance(message.frames, what)
                continue
            _note(outcome, message)
            what = f"{job.kind}: {len(outcome.done) + len(outcome.failed)}/{len(clips)} clips"
    return outcome


def _prepare(folder: Path | None, clips: Sequence[Clip]) -> None:
    """Make the folder for sidecars, and rid the places where they go of what killed runs have left."""
    from animate.annotate.runner import make_folder
    from animate.sidecars import SUFFIX
    from animate.video.atomic import sweep

    if folder is not None:
        make_folder(folder)
    for place in {clip.path.parent for clip in clips} if folder is None else {folder}:
        sweep(place, SUFFIX)


def _note(outcome: Outcome, message: Done[Annotated] | Failed) -> None:
    from animate.annotate.workers import Done

    if isinstance(message, Done):
        outcome.done[message.item] = message.result
        return
    clip = outcome.clips[message.item]
    reason = message.reason.removeprefix(f"{clip.path}:").removeprefix(f"{clip.path} ").lstrip()
    outcome.failed.append(f"{clip.name}: {reason}")
    if len(outcome.clips) > 1:
        print(f"failed: {outcome.failed[-1]}", file=sys.stderr)


def tell(kind: str, outcome: Outcome) -> None:
    """Print what was found, what was broken and what failed, each clip by its name."""
    from animate.cli.console import counted

    every = [(outcome.clips[index], outcome.done[index]) for index in sorted(outcome.done)]
    frames = sum(done.header.num_frames for _, done in every)
    found = sum(done.header.found for _, done in every)
    name = f"{outcome.backend.name} {outcome.backend.version}"
    print(
        f"{kind} by {name}: found in {found} of {frames} frames ({found / max(1, frames):.1%}) "
        f"of {counted(len(every), 'clip')}"
    )
    if before := sum(done.done_before for _, done in every):
        print(f"done before: {counted(before, 'clip')}")
    for clip, done in every:
        if done.stale:
            print(f"made anew: {clip.name}: {done.stale}")
        if done.header.broken:
            print(f"broken frames: {clip.name}: {_broken(done.header.broken)}")
        if not done.header.found:
            print(f"nothing found: {clip.name}")
    for line in outcome.failed:
        print(f"not annotated: {line}")


def _broken(broken: Mapping[int, str]) -> str:
    numbers = sorted(broken)
    shown = ", ".join(map(str, numbers[:_BROKEN_SHOWN]))
    more = f" and {len(numbers) - _BROKEN_SHOWN} more" if len(numbers) > _BROKEN_SHOWN else ""
    return f"{shown}{more} ({broken[numbers[0]]})"


def _write_sheet(args: argparse.Namespace, outcome: Outcome) -> Path:
    from animate.annotate.kinds import KINDS as MADE
    from animate.annotate.sheet import annotation_sheet
    from animate.sidecars import cache_folder
    from animate.video.atomic import destination, sweep
    from animate.video.image import write_image

    pairs = [(outcome.clips[index], outcome.done[index]) for index in sorted(outcome.done)]
    name = f"{args.path.resolve().name}.{args.kind}.{outcome.backend.name}.png"
    target: Path = args.sheet or (_folder(args) or cache_folder()) / "sheets" / name
    if args.sheet is None:
        target.parent.mkdir(parents=True, exist_ok=True)
    place = destination(target)
    sweep(place.parent, place.suffix, place.stem)
    write_image(target, annotation_sheet(pairs, MADE[args.kind].draw))
    return target
