"""``animate pose2vid run``: from two videos to a dance, in stages that are done once."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from animate.cli import pose2vid_check
from animate.cli.drive import add_compute
from animate.cli.pose2vid_prepare import add_recipe, segment_of
from animate.cli.pose2vid_prepare import size as height_and_width
from animate.cli.pose2vid_transfer import add_dance
from animate.cli.pose2vid_work import SAVE_EVERY, StoppedError, Work, quoted
from animate.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from animate.pipelines.pose_set.recipe import PoseSet, Recipe

    Made = Mapping[str, Any]
    """What a stage is made of, as plain values."""

DANCE = "dance.mp4"
OWN = ("experiment=", "data=", "data.root=", "data.image_size=", "paths.outputs=", "resume=", "init_from=")
"""Settings that follow from the arguments."""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the arguments; nothing heavy is imported for that."""
    parser = subparsers.add_parser(
        "run",
        help="all of it: prepare both videos, check, train, and let the person dance",
        description="Prepare both videos, check them, train, and let the person dance (docs/pose2vid.md)."
        " What is done is not done again, so a run that was stopped goes on when it is started again.",
    )
    for name, what in (("target", "the person to learn"), ("source", "the dance")):
        parser.add_argument(f"--{name}", type=Path, required=True, metavar="VIDEO", help=what)
        parser.add_argument(f"--{name}-poses", type=Path, metavar="PATH", help="its poses, found elsewhere")
        parser.add_argument(
            f"--{name}-poses-size",
            type=height_and_width,
            metavar="HxW",
            help="of the pictures that these are of (default: the video's)",
        )
    parser.add_argument(
        "--output", type=Path, required=True, metavar="FOLDER", help=f"gets {DANCE} and all that leads to it"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace what was made by other settings")
    parser.add_argument(
        "--crop",
        choices=("centre", "person"),
        default="centre",
        help="part of the videos: the largest in the middle (default), or the person's",
    )
    add_recipe(parser)
    _add_training(parser)
    add_dance(parser)
    add_compute(parser)
    parser.set_defaults(run=run)


def _add_training(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--experiment", default="pose2vid", metavar="NAME", help="how to train (default pose2vid)"
    )
    parser.add_argument(
        "--face", metavar="NAME", help="experiment of a second training, of the face, such as pose2vid_face"
    )
    parser.add_argument(
        "--face-setting",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a setting of that training alone; may be repeated",
    )
    parser.add_argument(
        "overrides", nargs="*", metavar="KEY=VALUE", help="settings of the trainings, as of animate train"
    )


def run(args: argparse.Namespace) -> int:
    """Do what is not done yet, and say what is there."""
    from animate.cli.console import terminable

    _refuse(args)
    try:
        with terminable(), Work.begin(args.output) as work:
            _run(args, work)
    except StoppedError as stopped:
        return stopped.code
    return 0


def _refuse(args: argparse.Namespace) -> None:
    """Refuse settings that follow from others, and trainings that could not begin, before any work."""
    from animate.training.conf import conf_folder
    from animate.training.preview import check_overrides

    segment_of(args)
    known = sorted(path.stem for path in (conf_folder() / "experiment").glob("*.yaml"))
    for name in filter(None, (args.experiment, args.face)):
        if name not in known:
            near = ", ".join(experiment for experiment in known if experiment.startswith("pose2vid"))
            raise UserError(f"there is no experiment {name}; those of this method: {near}")
    if args.face_setting and not args.face:
        raise UserError("--face-setting goes with --face: there is no training of a face")
    for override in (*args.overrides, *args.face_setting):
        if "=" not in override:
            raise UserError(f"{override}: settings of the training are given as KEY=VALUE")
        if override.lstrip("+").startswith(OWN):
            raise UserError(f"{override}: follows from --size, --experiment and --output; leave it out")
    if args.target.resolve() == args.source.resolve():
        raise UserError(
            f"{args.target} is both --target and --source; give the video of the dance as --source"
        )
    for _, settings in _stages(args):
        check_overrides(settings)


def _run(args: argparse.Namespace, work: Work) -> None:
    target = _prepared(args, "target", work)
    source = _prepared(args, "source", work)
    trainings = _trainings(args, target)
    danced: Made = {
        "model": trainings[-1][1],
        "source": source.recipe,
        "how": [args.normalize, args.hold, args.no_audio],
    }
    output = work.folder / DANCE
    if not args.overwrite and work.is_other("dance", danced):
        raise UserError(f"{output} was made by other settings; add --overwrite, or name another --output")
    _check(target, source, work)
    checkpoint: Path | None = None
    for stage, of, overrides in trainings:
        _say(f"{stage}: {work.how_far(stage, of)}")
        begin = [f"init_from={quoted(checkpoint)}"] if checkpoint else []
        checkpoint = work.trained(stage, of, [*overrides, *begin])
    assert checkpoint is not None
    if work.is_done("dance", danced) and output.is_file():
        _say(f"dance: done before, {output}")
        return
    _dance(args, checkpoint, work)
    work.note("dance", danced, done=True)


def _say(text: str) -> None:
    print(text, flush=True)


def _recipe(args: argparse.Namespace, role: Literal["target", "source"]) -> Recipe:
    from animate.pipelines.pose_set.recipe import Recipe, training_size

    return Recipe(
        role=role,
        size=training_size(*args.size),
        crop=args.crop,
        backend=args.pose_backend,
        poses=getattr(args, f"{role}_poses"),
        poses_size=getattr(args, f"{role}_poses_size"),
        smooth=args.smooth,
        segment=segment_of(args) if role == "target" else None,
    )


def _prepared(args: argparse.Namespace, role: Literal["target", "source"], work: Work) -> PoseSet:
    """Make a data set of a video, or take the one that is there."""
    from animate.cli.console import bar
    from animate.cli.pose2vid_prepare import told
    from animate.pipelines.pose_set.prepare import prepare
    from animate.pipelines.pose_set.video import Footage

    recipe = _recipe(args, role)
    footage = Footage.open(getattr(args, role), recipe)
    folder = work.folder / role
    with bar(f"{role}: poses", len(footage.numbers) * (1 if recipe.poses else 2)) as advance:
        try:
            made = prepare(footage, folder, recipe, advance=advance)
        except UserError:
            if not args.overwrite or not folder.exists():
                raise
            made = prepare(footage, folder, recipe, overwrite=True, advance=advance)
    for line in told(made, args.size):
        _say(line)
    return made


def _check(target: PoseSet, source: PoseSet, work: Work) -> None:
    """Say whether the target's video is good enough; the work goes on in any case."""
    of: Made = {"target": target.recipe, "source": source.recipe}
    files = {"sheet": work.folder / "check.png", "json": work.folder / "check.json"}
    if work.is_done("check", of) and all(path.is_file() for path in files.values()):
        return
    folders = {"folder": target.folder, "source": source.folder}
    pose2vid_check.run(argparse.Namespace(**folders, **files))
    work.note("check", of, done=True)


def _trainings(args: argparse.Namespace, target: PoseSet) -> list[tuple[str, Made, Sequence[str]]]:
    """List the trainings: the stage, what it is made of, and its settings."""
    of: Made = {"target": target.recipe, "experiment": args.experiment, "overrides": args.overrides}
    own = {"settings": args.face_setting} if args.face_setting else {}
    made = {"training": of, "face": {"after": of, "experiment": args.face, **own}}
    return [(stage, made[stage], settings) for stage, settings in _stages(args)]


def _stages(args: argparse.Namespace) -> list[tuple[str, Sequence[str]]]:
    """List the trainings with the settings of each."""
    from animate.pipelines.pose_set.recipe import training_size

    height, width = training_size(*args.size)
    common = [
        "data=videos",
        f"data.root={quoted(args.output / 'target')}",
        f"data.image_size={height if height == width else [height, width]}",
        f"callbacks.checkpoints.every_n_steps={SAVE_EVERY}",
        *args.overrides,
    ]
    stages: list[tuple[str, Sequence[str]]] = [("training", [f"experiment={args.experiment}", *common])]
    if args.face:
        stages.append(("face", [f"experiment={args.face}", *common, *args.face_setting]))
    return stages


def _dance(args: argparse.Namespace, checkpoint: Path, work: Work) -> None:
    from animate.cli.pose2vid_transfer import dance
    from animate.pipelines.transfer_files import TransferSettings

    settings = TransferSettings(
        normalize=args.normalize, hold=args.hold, audio=not args.no_audio, grid=True, overwrite=True
    )
    dance(args, checkpoint, (work.folder / "target", work.folder / "source"), work.folder / DANCE, settings)
