"""``animate data prepare SRC DEST``: frames at training size in a few large files."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from animate.cli.sizes import frame_size, positive
from animate.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable

    from animate.data.index import FolderIndex
    from animate.data.manifest import ManifestIndex
    from animate.data.store.layout import Header
    from animate.data.store.plan import Recipe

    SubParsers = argparse._SubParsersAction[argparse.ArgumentParser]

FINE, SOMETHING_LEFT_OUT = 0, 1
_NAMED = 10
LOGS = "jobs"
"""The folder in a store where jobs of a cluster print."""


def add_parser(verbs: SubParsers) -> None:
    """Declare the arguments; nothing heavy is imported for that."""
    parser = verbs.add_parser(
        "prepare",
        help="store frames at training size, for training at speed",
        description="Store the frames of a data set at training size in a few large files, from which any"
        " frame is read by itself: train with data=videos data.root=DEST (docs/data.md). A run that was"
        " stopped goes on when the same command is run again. Exit code 0: all is stored, 1: some clips are"
        " not, or some shards failed, 2: nothing could be done.",
    )
    parser.add_argument(
        "source", type=Path, metavar="SRC", help="data folder, or a CSV or JSON-lines manifest"
    )
    parser.add_argument("target", type=Path, metavar="DEST", help="the store; a new folder")
    parser.add_argument(
        "--size", type=frame_size, default=(256, 256), metavar="HxW", help="of the frames (default 256x256)"
    )
    quality = parser.add_mutually_exclusive_group()
    quality.add_argument(
        "--quality", type=int, default=95, metavar="1..100", help="of JPEG, full colour (default 95)"
    )
    quality.add_argument(
        "--lossless", action="store_true", help="WebP without loss: 2 to 3 times larger, slower to read"
    )
    parser.add_argument(
        "--workers", type=positive, metavar="N", help="processes; without it one per processor"
    )
    parser.add_argument(
        "--part-frames",
        type=positive,
        default=8192,
        metavar="N",
        help="frames after which a file is closed (default 8192); what is redone after a stop",
    )
    parser.add_argument("--root", type=Path, metavar="DIR", help="folder that a manifest's paths start from")
    parser.add_argument(
        "--strip-size", type=frame_size, metavar="HxW", help="frame size in strips (default square)"
    )
    parser.add_argument(
        "--max-skipped-share",
        type=_share,
        default=0.1,
        metavar="X",
        help="share of the clips that may be broken and left out (default 0.1)",
    )
    _add_shards(parser)
    parser.set_defaults(run=run)


def _add_shards(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--shard",
        type=_shard,
        metavar="I/N",
        help="only every N-th part, from the I-th (1/4 to 4/4); the last shard to end completes the store",
    )
    parser.add_argument(
        "--cluster",
        choices=("slurm", "local", "debug"),
        help="start all shards as jobs by submitit: of SLURM, as processes here, or in this process",
    )
    parser.add_argument("--shards", type=positive, metavar="N", help="how many jobs --cluster starts")
    parser.add_argument(
        "--cluster-option",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="of submitit's AutoExecutor, such as slurm_partition=cpu, timeout_min=240, cpus_per_task=8",
    )


def run(args: argparse.Namespace) -> int:
    """Prepare what is asked for, here or by jobs, and say what came of it."""
    from animate.cli.console import terminable

    if (args.cluster is None) != (args.shards is None):
        raise UserError("--cluster and --shards go together: --cluster slurm --shards 16")
    if args.cluster and args.shard:
        raise UserError("--shard is one of the shards; --cluster starts all of them")
    if args.cluster_option and not args.cluster:
        raise UserError("--cluster-option is for --cluster")
    with terminable():
        return _run_jobs(args) if args.cluster else _run_here(args, args.shard)


def _run_here(args: argparse.Namespace, shard: tuple[int, int] | None) -> int:
    from animate.cli.console import bar
    from animate.cores import usable_cores
    from animate.data.store.plan import begin, plan_of
    from animate.data.store.prepare import finish, working, write_parts

    source = _source(args)
    plan = plan_of(source, _recipe(args))
    begin(args.target, plan)
    mine = shard or (1, 1)
    with working(args.target, *mine):
        pending = plan.pending(args.target, plan.shard(*mine))
        if pending:
            with bar("storing", sum(part.frames for part in pending)) as advance:
                write_parts(
                    args.target,
                    plan,
                    pending,
                    args.workers or usable_cores(),
                    lambda frames: advance(frames, "storing"),
                )
    header = finish(args.target, plan)
    if header is None:
        print(f"{len(pending)} parts written; {args.target} is complete when all other shards have ended")
        return FINE
    return _report(args.target, header)


def _run_jobs(args: argparse.Namespace) -> int:
    from animate.data.store.cluster import run_shards
    from animate.data.store.plan import begin, plan_of
    from animate.data.store.prepare import finish

    options = dict(_option(text) for text in args.cluster_option)
    plan = plan_of(_source(args), _recipe(args))
    begin(args.target, plan)
    work: Callable[[str], int] = partial(_job, argparse.Namespace(**{**vars(args), "run": None}))
    failed = run_shards(work, args.shards, cluster=args.cluster, logs=args.target / LOGS, options=options)
    for line in failed:
        print(line)
    header = finish(args.target, plan)
    if header is None:
        print(f"{args.target} is not complete; run the same command again, it goes on")
        return SOMETHING_LEFT_OUT
    return _report(args.target, header)


def _job(args: argparse.Namespace, shard: str) -> int:
    """What a job of a cluster does."""
    return _run_here(args, _shard(shard))


def _source(args: argparse.Namespace) -> FolderIndex | ManifestIndex:
    from animate.data.index import refuse_too_many

    index = _index(args)
    clips = sum(map(len, index.by_split.values()))
    share = args.max_skipped_share
    refuse_too_many(index.problems, clips, share, str(args.source), "--max-skipped-share")
    return index


def _index(args: argparse.Namespace) -> FolderIndex | ManifestIndex:
    from animate.data.index import FolderIndex
    from animate.data.manifest import ManifestIndex
    from animate.data.store.storage import is_store

    if args.source.is_file():
        return ManifestIndex(args.source, args.root, strip_size=args.strip_size, max_broken_share=1.0)
    if is_store(args.source):
        raise UserError(f"{args.source}: is a prepared store already")
    if args.target.resolve().is_relative_to(args.source.resolve()):
        raise UserError(f"{args.target}: is where the clips are; name a new folder outside for the store")
    return FolderIndex(args.source, strip_size=args.strip_size, max_broken_share=1.0)


def _recipe(args: argparse.Namespace) -> Recipe:
    from animate.data.store.plan import Recipe

    return Recipe(args.size, None if args.lossless else args.quality, args.part_frames)


def _report(target: Path, header: Header) -> int:
    from animate.data.index import printable

    taken = sum(part.tar.size for part in header.parts)
    how = (
        "no loss"
        if header.psnr is None
        else f"PSNR {header.psnr:.1f} dB, worst frame {header.worst_psnr:.1f}"
    )
    print(
        f"{target}: {header.clips} clips, {header.frames} frames of {header.size[1]}x{header.size[0]} as"
        f" {header.codec}, {how}; {taken / 2**20:.1f} MiB in {len(header.parts)} parts"
    )
    for line in header.left_out[:_NAMED]:
        print(f"not stored: {printable(line)}")
    if len(header.left_out) > _NAMED:
        print(f"    and {len(header.left_out) - _NAMED} more (in {target / 'store.json'})")
    print(f"train with data=videos data.root={target}")
    return SOMETHING_LEFT_OUT if header.left_out else FINE


def _option(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise UserError(f"--cluster-option {text}: is not KEY=VALUE")
    return key, int(value) if value.isdecimal() else value


def _share(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not from 0 to 1")
    return value


def _shard(text: str) -> tuple[int, int]:
    number, _, count = text.partition("/")
    if not (number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count)):
        raise argparse.ArgumentTypeError(f"{text} is not I/N with I from 1 to N, such as 1/4")
    return int(number), int(count)
