"""``animate annotate KIND PATH --backend NAME``: landmarks, poses, faces, mattes into sidecars."""

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
    add_backend(parser, required=True)
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


def add_backend(parser: argparse.ArgumentParser, required: bool) -> None:
    """Declare ``--backend`` and ``--workers``."""
    parser.add_argument(
        "--backend", required=required, metavar="NAME", help="what finds it, such as dlib or puppet"
    )
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
    from animate.annotate.runner import Job
    from animate.cli.console import terminable
    from animate.sidecars import cache_folder
    from animate.video.atomic import check_target

    if args.sheet is not None:
        check_target(args.sheet, overwrite=True)
    clips, problems = find_clips(args.path)
    folder = None if args.output == BESIDE else Path(args.output) if args.output else cache_folder()
    job = Job(args.kind, args.backend, folder, args.overwrite)
    with terminable():
        outcome = annotate(job, clips, args.workers)
        outcome.failed[:0] = problems
        if not outcome.done:
            raise UserError(f"{args.path}: no clip could be annotated; the first: {outcome.failed[0]}")
        tell(args.kind, outcome)
        print(f"look at {_write_sheet(args, folder, outcome)}")
    return SOMETHING_WRONG if outcome.failed else FINE


def annotate(job: Job, clips: Sequence[Clip], workers: int | None) -> Outcome:
    """Annotate clips in processes under a progress bar; what fails is told at once.

    The back-end is made here first: what keeps it from being made stops the run before it begins.
    """
    from animate.annotate.workers import Tick, process, usable_cpus
    from animate.cli.console import bar

    outcome = Outcome(job().backend, clips)
    what = f"{job.kind}: 0/{len(clips)} clips"
    with (
        bar(what, sum(clip.num_frames for clip in clips)) as advance,
        closing(process(job, clips, workers or usable_cpus())) as messages,
    ):
        for message in messages:
            if isinstance(message, Tick):
                advance(message.frames, what)
                continue
            _note(outcome, message)
            what = f"{job.kind}: {len(outcome.done) + len(outcome.failed)}/{len(clips)} clips"
    return outcome


def _note(outcome: Outcome, message: Done[Annotated] | Failed) -> None:
    from animate.annotate.workers import Done

    if isinstance(message, Done):
        outcome.done[message.item] = message.result
        return
    clip = outcome.clips[message.item]
    reason = message.reason.removeprefix(str(clip.path)).lstrip(": ")
    outcome.failed.append(f"{clip.name}: {reason}")
    print(f"failed: {outcome.failed[-1]}", file=sys.stderr)


def tell(kind: str, outcome: Outcome) -> None:
    """Print what was found, what was broken and what failed, each clip by its name."""
    every = [(outcome.clips[index], outcome.done[index]) for index in sorted(outcome.done)]
    frames = sum(done.header.num_frames for _, done in every)
    found = sum(done.header.found for _, done in every)
    name = f"{outcome.backend.name} {outcome.backend.version}"
    print(
        f"{kind} by {name}: found in {found} of {frames} frames ({found / max(1, frames):.1%}) "
        f"of {len(every)} clips"
    )
    if before := sum(done.done_before for _, done in every):
        print(f"{before} clips were done before")
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


def _write_sheet(args: argparse.Namespace, folder: Path | None, outcome: Outcome) -> Path:
    from animate.annotate.kinds import KINDS as MADE
    from animate.annotate.sheet import annotation_sheet
    from animate.sidecars import cache_folder
    from animate.video.image import write_image

    pairs = [(outcome.clips[index], outcome.done[index]) for index in sorted(outcome.done)]
    name = f"{args.path.resolve().name}.{args.kind}.{outcome.backend.name}.png"
    target: Path = args.sheet or (folder or cache_folder()) / "sheets" / name
    if args.sheet is None:
        target.parent.mkdir(parents=True, exist_ok=True)
    write_image(target, annotation_sheet(pairs, MADE[args.kind].draw))
    return target
