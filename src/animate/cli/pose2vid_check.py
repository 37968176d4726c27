"""``animate pose2vid check FOLDER``: is this video good enough, and why not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from animate.pipelines.pose_set.check import Report

FINE, SOMETHING_WRONG = 0, 1


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the arguments; nothing heavy is imported for that."""
    parser = subparsers.add_parser(
        "check",
        help="say whether a video is good enough to learn a person from",
        description="Say whether a prepared video is good enough to learn a person from, and why not"
        " (docs/pose2vid.md). Exit code 0: good or usable, 1: not good enough, 2: no data set.",
    )
    parser.add_argument(
        "folder", type=Path, metavar="FOLDER", help="what `animate pose2vid prepare` has made"
    )
    parser.add_argument(
        "--source", type=Path, metavar="FOLDER", help="the prepared dance: were its poses shown?"
    )
    parser.add_argument("--sheet", type=Path, metavar="FILE", help="contact sheet (default FOLDER/check.png)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="the report (default FOLDER/check.json)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Look, print, and write report and sheet."""
    from animate.pipelines.pose_set.check import check
    from animate.pipelines.pose_set.check_sheet import check_sheet
    from animate.pipelines.pose_set.recipe import PoseSet
    from animate.video.atomic import check_target, temporary_file
    from animate.video.image import write_image

    made = PoseSet.load(args.folder)
    source = PoseSet.load(args.source) if args.source else None
    if source is not None:
        made.require("target")
        source.require("source")
    sheet, report_file = args.sheet or args.folder / "check.png", args.json or args.folder / "check.json"
    for target in (sheet, report_file):
        check_target(target, overwrite=True)
    report = check(made, source)
    write_image(sheet, check_sheet(made, report, source))
    with temporary_file(report_file) as temporary:
        temporary.write_text(json.dumps(report.to_json(), indent=1) + "\n", "utf-8")
    for line in told(report):
        print(line)
    print(f"{args.folder}: {report.verdict}. Look at {sheet}; all numbers: {report_file}")
    return SOMETHING_WRONG if any(advice.serious for advice in report.advice) else FINE


def told(report: Report) -> Iterator[str]:
    """Say what was measured, then what could be better."""
    r = report
    yield f"frames: {r.frames}, {r.seconds:.1f} s"
    yield f"a usable pose in {r.found:.1%}, the whole body in {r.whole:.1%}"
    for reason, count in r.skipped.items():
        yield f"    {count} skipped: {reason}"
    yield f"person: {r.height:.0%} of the frame's height; suddenly elsewhere {r.jumps} times"
    yield f"poses: {r.distinct} that differ clearly"
    if r.source_frames:
        yield f"    {len(r.uncovered)} of the source's {r.source_frames} have nothing like them here"
    yield f"sharpness: {r.sharpness:.0f}, below 100 in {r.blurred:.0%} of the frames looked at"
    yield (
        f"background: moves {r.camera:.3f} % of the width per frame, changes by {r.light:.0f} grey levels,"
        f" {r.busy:.0%} edges"
    )
    for advice in r.advice:
        yield f"{'WRONG' if advice.serious else 'better'}: {advice.text}"
