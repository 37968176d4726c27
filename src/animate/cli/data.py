"""``animate data check PATH``, ``animate data puppets --output DIR``, ``animate data prepare SRC DEST``."""

from __future__ import annotations

import json
import logging
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from animate.cli import data_prepare
from animate.cli.sizes import frame_size, positive
from animate.errors import UserError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping

    from rich.console import Console

    from animate.data.check import Finding, Report, SplitReport
    from animate.data.index import FolderIndex
    from animate.data.manifest import ManifestIndex
    from animate.data.store.index import StoreIndex

    SubParsers = argparse._SubParsersAction[argparse.ArgumentParser]

NAMES_SHOWN = 10
SIZES_SHOWN = 6
FINE, SOMETHING_WRONG = 0, 1


def add_parser(subparsers: SubParsers) -> None:
    """Add ``data`` with its verbs to the command line."""
    parser = subparsers.add_parser(
        "data", help="check or prepare a data set, or write the drawn one as files"
    )
    verbs = parser.add_subparsers(dest="data_verb", metavar="VERB", required=True)
    _add_check(verbs)
    data_prepare.add_parser(verbs)
    _add_puppets(verbs)


def _add_check(verbs: SubParsers) -> None:
    parser = verbs.add_parser(
        "check",
        help="look at a data set before training on it",
        description="Look at a data set before training on it. Exit code 0: fine, 1: something is wrong, "
        "2: not usable at all.",
    )
    parser.add_argument(
        "path",
        metavar="PATH",
        help="data folder, CSV or JSON-lines manifest, or prepared store (a folder or s3://...)",
    )
    parser.add_argument("--decode", action="store_true", help="decode every frame, and correct frame counts")
    parser.add_argument("--sheet", type=Path, metavar="FILE", help="write a contact sheet (png or jpg)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the whole report as JSON")
    parser.add_argument("--id-sampling", action="store_true", help="read subjects from file names")
    parser.add_argument("--repeats", type=positive, default=1, metavar="N", help="data.repeats (default 1)")
    parser.add_argument(
        "--strip-size", type=frame_size, metavar="HxW", help="frame size in strips (default square)"
    )
    parser.add_argument("--root", type=Path, metavar="DIR", help="folder that a manifest's paths start from")
    parser.set_defaults(run=run_check)


def _add_puppets(verbs: SubParsers) -> None:
    parser = verbs.add_parser(
        "puppets",
        help="write the drawn data set as files",
        description="Draw puppets and write them as a data folder: train/ and test/, with the truth.",
    )
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="a new folder")
    parser.add_argument("--clips", type=positive, default=40, metavar="N", help="training clips (default 40)")
    parser.add_argument(
        "--test-clips", type=positive, default=10, metavar="N", help="test clips (default 10)"
    )
    parser.add_argument("--size", type=positive, default=128, metavar="PIXELS", help="side (default 128)")
    parser.add_argument("--frames", type=positive, default=32, metavar="N", help="frames a clip (default 32)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="another set of puppets (default 0)")
    parser.add_argument(
        "--format", choices=("mp4", "png"), default="mp4", help="video or frame folders (mp4)"
    )
    parser.set_defaults(run=run_puppets)


def run_check(args: argparse.Namespace) -> int:
    """Check, print, and write what was asked for."""
    from animate.data.check import check
    from animate.data.sheet import contact_sheet
    from animate.video.atomic import check_target
    from animate.video.image import write_image

    for target in (args.sheet, args.json):
        if target is not None:
            check_target(target, overwrite=True)
    if args.sheet is not None and args.sheet.suffix.lower() not in (".png", ".jpg", ".jpeg"):
        raise UserError(f"{args.sheet}: a contact sheet is a picture; end the name in .png or .jpg")
    with _warnings_off():
        index = open_index(args)
        report = check(
            index.by_split,
            root=str(args.path),
            unreadable=[*index.problems, *_torn(index, args.decode)],
            ignored=index.ignored,
            flat=index.is_flat,
            decode=args.decode,
            id_sampling=args.id_sampling,
            repeats=args.repeats,
        )
    index.correct(report.counts)
    print_report(report, index.is_flat)
    if args.sheet is not None:
        write_image(args.sheet, contact_sheet(index.by_split))
    if args.json is not None:
        _write_json(args.json, report)
    return FINE if report.ok else SOMETHING_WRONG


@contextmanager
def _warnings_off() -> Iterator[None]:
    """Keep the log still: the report tells all that would be warned of."""
    log = logging.getLogger("animate")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(level)


def open_index(args: argparse.Namespace) -> FolderIndex | ManifestIndex | StoreIndex:
    """Index a folder or a manifest; broken files are for the report to tell, however many."""
    from animate.data.folder import folder_index
    from animate.data.manifest import ManifestIndex

    if Path(args.path).is_file():
        return ManifestIndex(args.path, args.root, strip_size=args.strip_size, max_broken_share=1.0)
    return folder_index(
        args.path,
        id_sampling=args.id_sampling,
        strip_size=args.strip_size,
        max_broken_share=1.0,
        flat="test",
    )


def _torn(index: FolderIndex | ManifestIndex | StoreIndex, decode: bool) -> Iterator[str]:
    """Compare the checksums of a store's files, where all of them is to be read."""
    from animate.data.store.index import StoreIndex

    if decode and isinstance(index, StoreIndex):
        yield from index.torn_parts()


def print_report(report: Report, flat: bool) -> None:
    """Print tables on a terminal, plain lines elsewhere."""
    from rich.console import Console

    terminal = sys.stdout.isatty()
    console = Console(highlight=False, markup=False, width=None if terminal else 160)
    _print_splits(console, report, terminal)
    for finding, names in report.findings.items():
        _print_finding(console, finding, names)
    if flat:
        console.print("No train/ and test/ here: read as one split. Training needs both.")
    if report.samples_per_epoch:
        console.print(f"Samples per epoch: {report.samples_per_epoch}")
    how = "every frame was decoded" if report.decoded else "a few frames of each clip were decoded"
    console.print(f"{'Fine' if report.ok else 'Something is wrong'}; {how}.")


def _print_splits(console: Console, report: Report, terminal: bool) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(report.root), title_justify="left", box=box.SIMPLE_HEAD if terminal else None)
    table.add_column("")
    for split in report.splits:
        table.add_column(split)
    parts = [_facts(part) for part in report.splits.values()]
    for row in zip(*parts, strict=True):
        table.add_row(row[0][0], *(text for _, text in row))
    console.print(table)


def _facts(part: SplitReport) -> list[tuple[str, str]]:
    frames, durations = part.num_frames, part.durations
    return [
        ("clips", str(part.clips)),
        ("subjects", str(part.subjects)),
        ("frames", f"{part.frames}{'' if part.exact else ' (estimated)'}"),
        ("duration", f"{part.seconds:.1f} s"),
        ("width x height", _frequent(part.sizes)),
        ("frames/s", _frequent(part.fps)),
        ("frames a clip", f"{frames[0]} to {frames[2]}, median {frames[1]}"),
        ("seconds a clip", f"{durations[0]:.2f} to {durations[2]:.2f}, median {durations[1]:.2f}"),
    ]


def _frequent(counts: Mapping[str, int]) -> str:
    shown = [f"{value} ({count})" for value, count in list(counts.items())[:SIZES_SHOWN]]
    return ", ".join(shown) + (f" and {len(counts) - SIZES_SHOWN} more" if len(counts) > SIZES_SHOWN else "")


def _print_finding(console: Console, finding: Finding, names: tuple[str, ...]) -> None:
    from animate.data.index import printable

    style = "yellow" if finding.wrong else None
    console.print(f"{finding.title}: {len(names)} ({finding.advice})", style=style)
    for name in names[:NAMES_SHOWN]:
        shown = printable(name).encode(console.encoding, "replace").decode(console.encoding)
        console.print(f"    {shown}", soft_wrap=True)
    if len(names) > NAMES_SHOWN:
        console.print(f"    and {len(names) - NAMES_SHOWN} more (all with --json FILE)")


def _write_json(path: Path, report: Report) -> None:
    from animate.video.atomic import temporary_file

    with temporary_file(path) as temporary:
        temporary.write_text(json.dumps(report.to_json(), indent=2) + "\n", "utf-8")


def run_puppets(args: argparse.Namespace) -> int:
    """Draw and write the puppets, and say where."""
    from animate.data.export import SHEET_NAME, export
    from animate.data.synthetic import PuppetIndex

    index = PuppetIndex(
        train_clips=args.clips,
        val_clips=1,
        test_clips=args.test_clips,
        frames=args.frames,
        size=args.size,
        seed=args.seed,
    )
    suffix = {"mp4": ".mp4", "png": ""}[args.format]
    export(index, args.output, ("train", "test"), (args.size, args.size), suffix)
    print(f"{args.clips} clips in {args.output / 'train'}, {args.test_clips} in {args.output / 'test'}")
    print(f"look at {args.output / SHEET_NAME}; train with data=videos data.root={args.output}")
    return 0
