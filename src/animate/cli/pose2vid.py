"""``animate pose2vid VERB``: from two videos to a dance."""

from __future__ import annotations

from typing import TYPE_CHECKING

from animate.cli import (
    pose2vid_check,
    pose2vid_clusters,
    pose2vid_prepare,
    pose2vid_run,
    pose2vid_transfer,
)

if TYPE_CHECKING:
    import argparse

# Each module adds a verb.
VERBS = (pose2vid_prepare, pose2vid_check, pose2vid_transfer, pose2vid_run, pose2vid_clusters)


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``pose2vid`` with its verbs to the command line."""
    parser = subparsers.add_parser(
        "pose2vid",
        help="learn a person from a video, and let it dance like another",
        description="Learn a person from a video, and let it dance like another (docs/pose2vid.md).",
    )
    verbs = parser.add_subparsers(dest="pose2vid_verb", metavar="VERB", required=True)
    for verb in VERBS:
        verb.add_parser(verbs)
