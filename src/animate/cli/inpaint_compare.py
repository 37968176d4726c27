"""``animate inpaint compare --checkpoints A B --output FOLDER``: which background is best."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from animate.errors import UserError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping, Sequence

    from animate.cli.inpaint_scenes import Compared
    from animate.data.index import Clip
    from animate.data.peopled import PeopledScenes
    from animate.networks.inpainting import BackgroundInpainter
    from animate.reports.backgrounds import Backgrounds, Scene

PUPPETS = "puppets"
CLIPS, FRAMES = 300, 8
DRIFT = 0.5
"""How far people move in a clip, in sides of the picture: enough that a plate is seen behind them."""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the arguments; nothing heavy is imported for that."""
    about = "compare networks, classical fills, plates and mattes where the truth is known"
    parser = subparsers.add_parser(
        "compare", help=about, description=f"{about.capitalize()} (docs/inpainting.md)."
    )
    parser.add_argument(
        "--checkpoints",
        type=Path,
        nargs="+",
        required=True,
        metavar="CKPT",
        help="background networks; differences are from the first, and the last one serves plates and mattes",
    )
    parser.add_argument("--output", type=Path, required=True, metavar="FOLDER", help="for the tables")
    parser.add_argument(
        "--data",
        default=PUPPETS,
        metavar="FOLDER",
        help="pictures and videos of scenes without people: its test/ where there is a train/, else all of"
        f" it; {PUPPETS} (default) draws scenes",
    )
    parser.add_argument(
        "--people",
        default=PUPPETS,
        metavar="FOLDER",
        help=f"clips with mattes, of people to stand in the scenes; {PUPPETS} (default) draws them",
    )
    parser.add_argument(
        "--matte-backend",
        metavar="NAME",
        help="what finds the person in the rows of mattes; else they are left out",
    )
    parser.add_argument(
        "--lpips",
        action="store_true",
        help="compare by LPIPS too; its weights are fetched at first use",
    )
    parser.add_argument(
        "--share",
        type=float,
        nargs=2,
        default=(0.05, 0.3),
        metavar=("LOW", "HIGH"),
        help="of the picture that a person takes (default 0.05 0.3)",
    )
    parser.add_argument(
        "--clips",
        type=int,
        default=CLIPS,
        help=f"how many scenes are drawn, or used at most (default {CLIPS})",
    )
    parser.add_argument(
        "--frames",
        type=int,
        default=FRAMES,
        help=f"of each scene; 1 leaves out what needs a video (default {FRAMES})",
    )
    parser.add_argument("--seed", type=int, default=0, help="of the holes (default 0)")
    parser.add_argument("--overwrite", action="store_true", help="replace the tables in an existing folder")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Compare, print the table and write it."""
    from animate.cli.console import terminable
    from animate.cli.inpaint_scenes import Compared
    from animate.reports import backgrounds as reports
    from animate.video.results import check_folder, results_folder

    _check(args)
    check_folder(args.output, args.overwrite)
    networks = _networks(args.checkpoints)
    compared = Compared(args, networks)
    data = _data(args, _side(networks), compared)
    with terminable():
        scenes = dict(_scored(data, compared))
        numbers = list(scenes)
        if not scenes:
            raise UserError(f"--data {args.data}: no scene of it can be read")
        result = reports.Backgrounds(
            list(scenes.values()), next(iter(networks)), _provenance(args), compared.notes
        )
        pictures = cache(lambda i: compared.pictures(data[numbers[i]]))
        with results_folder(args.output, args.overwrite) as folder:
            reports.write(result, folder)
            for sheet, chosen in reports.chosen(result, list(networks)[-1]).items():
                reports.write_sheet(folder / f"{sheet}.png", [pictures(i) for i in chosen])
    _print(result)
    print(f"written to {args.output / reports.TABLE}")
    return 0


def _check(args: argparse.Namespace) -> None:
    for name in ("clips", "frames"):
        if getattr(args, name) < 1:
            raise UserError(f"--{name} {getattr(args, name)}: at least 1")
    for name in ("data", "people"):
        if getattr(args, name) != PUPPETS and not Path(getattr(args, name)).is_dir():
            raise UserError(f"--{name} {getattr(args, name)}: no such folder; name one, or '{PUPPETS}'")


def _networks(paths: Sequence[Path]) -> dict[str, BackgroundInpainter]:
    from animate import checkpoints

    if len({path.resolve() for path in paths}) < len(paths):
        raise UserError("--checkpoints: one is named twice; name every checkpoint once")
    names = _names(paths)
    return {
        name: checkpoints.load(path, method="inpainting") for name, path in zip(names, paths, strict=True)
    }


def _names(paths: Sequence[Path]) -> list[str]:
    """Call each checkpoint by the end of its path that tells it apart, without suffix if that will do."""
    from animate.data.index import printable
    from animate.reports.runs import labels

    names = labels([path.with_suffix("") for path in paths])
    if len(set(names)) < len(names):
        names = labels(paths)
    return [printable(name) for name in names]


def _side(networks: Mapping[str, BackgroundInpainter]) -> int:
    sides = {name: int(one.arguments["image_size"]) for name, one in networks.items()}
    if len(set(sides.values())) > 1:
        told = ", ".join(f"{name} {side}" for name, side in sides.items())
        raise UserError(f"--checkpoints: trained at different sizes ({told}); compare networks of one size")
    return next(iter(sides.values()))


def _data(args: argparse.Namespace, side: int, compared: Compared) -> PeopledScenes:
    from animate.data.holes import Holes
    from animate.data.index import NoClipsError
    from animate.data.inpainting import shapes_of
    from animate.data.peopled import PeopledScenes
    from animate.data.synthetic import PuppetIndex

    drawn = PuppetIndex(train_clips=1, val_clips=1, test_clips=48, kinds=["person"])
    try:
        shapes = shapes_of(drawn if args.people == PUPPETS else args.people)
    except NoClipsError:
        raise UserError(
            f"--people {args.people}: no clips in it; docs/data.md tells what it may hold"
        ) from None
    holes = Holes(shapes, args.share, DRIFT)
    return PeopledScenes(_scenes(args, side, compared), holes, args.frames, (side, side), args.seed)


def _scenes(args: argparse.Namespace, side: int, compared: Compared) -> Sequence[Clip]:
    from animate.data.scenes import SceneFolderIndex
    from animate.data.synthetic import SceneIndex

    if args.data == PUPPETS:
        return SceneIndex(test_clips=args.clips, frames=args.frames, size=side).clips("test")
    index = SceneFolderIndex(args.data, flat="test", max_broken_share=1.0)
    for problem in index.problems:
        compared.skip(problem)
    try:
        return index.clips("test")[: args.clips]
    except UserError:
        where = "test/ of it" if (index.root / "train").is_dir() else "it"
        raise UserError(f"--data {args.data}: no picture or video in {where} that can be read") from None


def _scored(data: PeopledScenes, compared: Compared) -> Iterator[tuple[int, Scene]]:
    """Yield the scenes that can be read, with their numbers."""
    from animate.cli.console import track
    from animate.video.decode import FrameError

    for number in track(range(len(data)), "comparing", len(data), "scenes"):
        try:
            peopled = data[number]
        except FrameError as error:
            compared.skip(f"{data.scenes[number].name}: {error}")
        else:
            yield number, compared.scene(peopled)


def _provenance(args: argparse.Namespace) -> dict[str, Any]:
    from animate.training.provenance import provenance

    return provenance(
        checkpoints=[str(path.resolve()) for path in args.checkpoints],
        data=args.data if args.data == PUPPETS else str(Path(args.data).resolve()),
        people=args.people if args.people == PUPPETS else str(Path(args.people).resolve()),
        matte_backend=args.matte_backend,
        share=list(args.share),
        clips=args.clips,
        frames=args.frames,
        seed=args.seed,
    )


def _print(result: Backgrounds) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from animate.cli.console import counted
    from animate.reports.backgrounds import ALL, table

    head, *lines = table(result, ALL)
    shown = Table(*map(escape, head), title=counted(len(result.scenes), "scene"))
    for line in lines:
        shown.add_row(*map(escape, line))
    terminal = Console()
    (terminal if terminal.is_terminal else Console(width=240)).print(shown)
