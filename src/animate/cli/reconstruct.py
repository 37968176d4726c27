"""``animate reconstruct``: rebuild test clips from their first frames, and measure."""

from __future__ import annotations

import csv
import json
import shutil
import sys
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from animate import __version__
from animate.cli.drive import add_compute, positive
from animate.errors import UserError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from animate.data.index import Clip, ClipIndex, Split
    from animate.networks.fomm import FirstOrderModel
    from animate.pipelines.reconstruct import Reconstructed

MARKER = "metrics.json"
SHOWN_CLIPS = 8
_LISTS = frozenset({".csv", ".jsonl", ".ndjson", ".json"})
_CHUNK = 32  # frames that are read at a time from clips that are no stream


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the arguments; nothing heavy is imported for that."""
    about = "rebuild clips from their first frames and measure the error"
    parser = subparsers.add_parser(
        "reconstruct", help=about, description=f"{about.capitalize()} (docs/inference.md)."
    )
    parser.add_argument("--checkpoint", type=Path, required=True, metavar="FILE", help="the model")
    parser.add_argument(
        "--data",
        type=Path,
        required=True,
        metavar="PATH",
        help="a data folder, a folder of clips, a list, or a video",
    )
    parser.add_argument(
        "--output", type=Path, required=True, metavar="FOLDER", help="for tables and pictures"
    )
    parser.add_argument("--split", choices=("train", "val", "test"), default="test", help="default test")
    parser.add_argument(
        "--frames", choices=("png", "none"), default="none", help="keep every frame, lossless"
    )
    parser.add_argument("--limit", type=positive, metavar="N", help="the first N clips only")
    parser.add_argument("--overwrite", action="store_true", help="replace the results in an existing folder")
    add_compute(parser)
    parser.set_defaults(run=run)


@dataclass(frozen=True, slots=True)
class ClipScore:
    """What a clip came to."""

    name: str
    frames: int
    l1: float
    """Mean over frames and pixels, on [0, 1]."""
    copy_first_frame: float
    """The same if every frame were predicted to be the first."""


class Report(NamedTuple):
    """What all clips came to."""

    scores: list[ClipScore]
    skipped: list[str]
    """Clips that could not be read, each ``name: reason``."""
    shown: list[list[NDArray[np.uint8]]]
    """A row of the picture for each of the first clips."""


def run(args: argparse.Namespace) -> int:
    """Measure, write the tables and say what came out."""
    from animate import checkpoints
    from animate.cli.console import at_once, terminable
    from animate.networks.inference import for_inference
    from animate.pipelines.device import resolve
    from animate.pipelines.drive import suitable_batch_size
    from animate.video.results import results_folder

    networks = for_inference(checkpoints.load(args.checkpoint, resolve(args.device), method="fomm"))
    batch_size = args.batch_size or suitable_batch_size(networks)
    with terminable(), at_once(batch_size), results_folder(args.output, args.overwrite) as folder:
        report = _measure(networks, args, batch_size, folder / "frames" if args.frames == "png" else None)
        summary = _write(folder, report, args.checkpoint)
    print(f"{args.output}: {summary}")
    return 0


def _measure(
    networks: FirstOrderModel, args: argparse.Namespace, batch_size: int, keep: Path | None
) -> Report:
    from animate.cli.console import track
    from animate.data.index import printable

    clips, problems = list_clips(args.data, args.split)
    clips = clips[: args.limit]
    report = Report([], list(problems), [])
    for problem in problems:
        print(f"skipped {printable(problem)}", file=sys.stderr)
    for clip in track(clips, "reconstructing", len(clips), "clips"):
        try:
            score, row = _score(networks, clip, batch_size, keep)
        except UserError as error:
            report.skipped.append(f"{clip.name}: {error}")
            print(f"skipped {report.skipped[-1]}", file=sys.stderr)
            if keep is not None:
                shutil.rmtree(_kept(keep, clip.name), ignore_errors=True)
            continue
        report.scores.append(score)
        if len(report.shown) < SHOWN_CLIPS:
            report.shown.append(row)
    if not report.scores:
        raise UserError(
            f"{args.data}: none of {len(clips)} clips can be read; the first: {report.skipped[0]}"
        )
    return report


class ClipFrames(NamedTuple):
    """A clip as a stream."""

    name: str
    path: Path
    clip: Clip | None
    """None for a video that was named by itself."""

    def frames(self) -> Iterator[NDArray[np.uint8]]:
        """Decode the clip, ``(H, W, 3)`` uint8 each."""
        from animate.data.clips import ContainerSource
        from animate.video.decode import stream

        # A container is decoded in one go: seeking for each chunk would decode much of it again and again.
        if self.clip is None or isinstance(self.clip.reader, ContainerSource):
            yield from (frame.image for frame in stream(self.path))
        else:
            yield from _in_chunks(self.clip)


def _in_chunks(clip: Clip) -> Iterator[NDArray[np.uint8]]:
    from animate.data.clips import ClipCache

    reader = ClipCache(max_readers=1).open(clip)
    for start in range(0, clip.num_frames, _CHUNK):
        yield from reader.frames(range(start, min(start + _CHUNK, clip.num_frames)), None)


def list_clips(data: Path, split: Split) -> tuple[list[ClipFrames], Sequence[str]]:
    """Find the clips of a data folder, a plain folder of clips, a list (CSV, JSON lines) or one video.

    However many are broken, the others are measured: what was left out is counted and named.

    Returns:
        The clips, and what could not be read: ``name: reason``.

    Raises:
        UserError: there are none.

    """
    from animate.data.index import FolderIndex
    from animate.data.manifest import ManifestIndex

    if data.is_dir():
        index: ClipIndex = FolderIndex(data, flat=split, max_broken_share=1.0)
    elif data.suffix.lower() in _LISTS:
        index = ManifestIndex(data, max_broken_share=1.0)
    else:
        return [ClipFrames(data.name, data, None)], []
    return [ClipFrames(clip.name, clip.path, clip) for clip in index.clips(split)], index.problems


def _score(
    networks: FirstOrderModel, clip: ClipFrames, batch_size: int, keep: Path | None
) -> tuple[ClipScore, list[NDArray[np.uint8]]]:
    """Measure a clip; also return the picture row of the frame that differs most from the first."""
    from animate.pipelines.reconstruct import reconstruct
    from animate.pipelines.stream import ahead

    count, l1, copy_l1 = 0, 0.0, 0.0
    farthest: Reconstructed | None = None
    with closing(ahead(clip.frames(), 2 * batch_size)) as frames:
        for frame in reconstruct(networks, frames, batch_size=batch_size):
            if keep is not None:
                _keep(frame, _kept(keep, clip.name), count)
            if farthest is None or frame.copy_l1 > farthest.copy_l1:
                farthest = frame
            count, l1, copy_l1 = count + 1, l1 + frame.l1, copy_l1 + frame.copy_l1
    assert farthest is not None  # no frame at all is an error of `reconstruct`
    return ClipScore(clip.name, count, l1 / count, copy_l1 / count), _row(farthest)


def _kept(keep: Path, name: str) -> Path:
    """Name the folder for the frames of a clip; a list may name clips anywhere, the results stay in here."""
    path = Path(name)
    return keep.joinpath(*(part for part in path.parts if part not in {path.anchor, ".."}))


def _keep(frame: Reconstructed, folder: Path, number: int) -> None:
    from animate.video.image import write_image

    folder.mkdir(parents=True, exist_ok=True)
    write_image(folder / f"{number:06d}.png", frame.prediction)


def _row(frame: Reconstructed) -> list[NDArray[np.uint8]]:
    import numpy as np

    difference = np.abs(frame.prediction.astype(np.int16) - frame.target).astype(np.uint8)
    return [frame.source, frame.target, frame.prediction, difference]


def _write(folder: Path, report: Report, checkpoint: Path) -> str:
    """Write ``clips.csv``, ``table.md``, ``grid.png`` and ``metrics.json``; return the summary in words."""
    from animate.video.grid import tile
    from animate.video.image import write_image

    metrics = summarise(report, checkpoint)
    with (folder / "clips.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("name", "frames", "l1", "copy_first_frame"))
        writer.writerows(
            (s.name, s.frames, f"{s.l1:.6f}", f"{s.copy_first_frame:.6f}") for s in report.scores
        )
    (folder / "table.md").write_text(_table(report.scores, metrics), encoding="utf-8")
    write_image(folder / "grid.png", tile(report.shown, ("source", "target", "prediction", "difference")))
    (folder / MARKER).write_text(json.dumps(metrics, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    skipped = f"; {len(report.skipped)} clips skipped" if report.skipped else ""
    return (
        f"{metrics['clips']} clips, {metrics['frames']} frames, L1 {metrics['l1']:.5f}"
        f" (copying the first frame: {metrics['copy_first_frame']:.5f}){skipped}"
    )


def summarise(report: Report, checkpoint: Path) -> dict[str, object]:
    """Weigh every frame alike, as the published evaluation does; the mean over clips stands beside it."""
    scores = report.scores
    frames = sum(score.frames for score in scores)
    return {
        "l1": sum(score.l1 * score.frames for score in scores) / frames,
        "copy_first_frame": sum(score.copy_first_frame * score.frames for score in scores) / frames,
        "l1_mean_over_clips": sum(score.l1 for score in scores) / len(scores),
        "clips": len(scores),
        "frames": frames,
        "skipped": report.skipped,
        "checkpoint": str(checkpoint),
        "version": __version__,
        "per_clip": [asdict(score) for score in scores],
    }


def _table(scores: Sequence[ClipScore], metrics: dict[str, object]) -> str:
    lines = ["| clip | frames | L1 | copy first frame |", "| --- | ---: | ---: | ---: |"]
    lines += [f"| {s.name} | {s.frames} | {s.l1:.5f} | {s.copy_first_frame:.5f} |" for s in scores]
    lines.append(
        f"| **all** | {metrics['frames']} | {metrics['l1']:.5f} | {metrics['copy_first_frame']:.5f} |"
    )
    return "\n".join(lines) + "\n"
