"""``animate evaluate``: compare videos that anything made with those that they should be."""

from __future__ import annotations

import argparse
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from animate.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from animate.data.pairs import Footage, Frames, Pair, Paired
    from animate.metrics import Evaluation, MetricSet, Scorer
    from animate.reports import Recorder
    from animate.types import Evaluated

METRICS = ("l1", "psnr", "ssim")
BACKENDS = {
    "landmarks": "finds the points of a face",
    "pose": "finds the joints of a body",
    "puppet": "finds the joints of a drawn puppet",
    "identity": "says who somebody is",
    "mattes": "cuts persons out, for metrics like l1_inside_person",
    "faces": "finds faces, for metrics like l1_inside_face",
}
CHUNK = 4  # frames that are held at a time; on two cores faster than 1, 2, 3 and 16
WARNING = (
    "{what} are stored with loss ({codecs}): the codec changes the numbers, which compare only with numbers"
    " from the same codec and settings; score lossless frames (png, ffv1) where you can"
)
_SIZE = re.compile(r"(\d+)(?:x(\d+))?")


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the arguments; nothing heavy is imported for that."""
    about = "compare videos or folders of frames with their targets"
    parser = subparsers.add_parser(
        "evaluate", help=about, description=f"{about.capitalize()} (docs/evaluation.md)."
    )
    clips = "a video, a folder of frames, or a folder of either"
    parser.add_argument("--prediction", type=Path, required=True, metavar="PATH", help=clips)
    parser.add_argument(
        "--target", type=Path, required=True, metavar="PATH", help="the same, as it should be"
    )
    parser.add_argument("--output", type=Path, required=True, metavar="FOLDER", help="for the report")
    parser.add_argument(
        "--metrics", type=_names, default=METRICS, metavar="A,B,C", help=f"default {','.join(METRICS)}"
    )
    for task, what in BACKENDS.items():
        parser.add_argument(f"--{task}", metavar="BACKEND", help=what)
    parser.add_argument(
        "--mask", type=Path, metavar="PATH", help="mattes of the targets, white on the figure"
    )
    parser.add_argument(
        "--resize", type=_size, metavar="WxH", help="bring all frames to this size, the aspect is not kept"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, mps")
    parser.add_argument("--overwrite", action="store_true", help="replace the report in an existing folder")
    parser.set_defaults(run=run)


def _names(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if not names:
        raise argparse.ArgumentTypeError("name at least one metric")
    return names


def _size(text: str) -> tuple[int, int]:
    """Read ``256`` or ``WIDTHxHEIGHT`` as (height, width)."""
    found = _SIZE.fullmatch(text)
    if not found or "0" in (found[1], found[2]):
        raise argparse.ArgumentTypeError(f"{text!r} is no size; give 256 or 320x240 (width x height)")
    return int(found[2] or found[1]), int(found[1])


def run(args: argparse.Namespace) -> int:
    """Compare, print the table and write the report."""
    from animate import reports
    from animate.cli.console import terminable
    from animate.reports.folder import PAGE
    from animate.reports.terminal import print_evaluation
    from animate.video.results import check_folder, results_folder

    check_folder(args.output, args.overwrite)
    chosen, scorer = _scorer(args)
    with terminable(), tempfile.TemporaryDirectory(prefix="animate-") as place:
        recorder = reports.Recorder(Path(place))
        evaluation = _compare(args, chosen, scorer, recorder)
        _check_some(evaluation.definitions, evaluation.unavailable)
        with results_folder(args.output, args.overwrite) as folder:
            reports.write(evaluation, folder, recorder)
    print_evaluation(evaluation, str(args.prediction))
    print(f"written to {args.output / PAGE}")
    return 0


def _check_some(found: Sequence[object], unavailable: Mapping[str, str]) -> None:
    """Refuse to go on for a report that holds not a single number."""
    if not found:
        name, reason = next(iter(unavailable.items()))
        raise UserError(f"none of the metrics can be computed; {name}: {reason}")


def _scorer(args: argparse.Namespace) -> tuple[MetricSet, Scorer]:
    """Make what was named. A metric without its back-end is an error: somebody has asked for it by name."""
    from animate.metrics import Scorer, build
    from animate.pipelines.device import resolve
    from animate.training.annotators import make_annotators, make_networks

    names = {task: getattr(args, task) for task in BACKENDS}
    if names["puppet"] is None and any(name.endswith("_puppet") for name in args.metrics):
        names["puppet"] = "puppet"
    annotators = make_annotators(**names)
    chosen = build(args.metrics, annotators=annotators, networks=make_networks())
    _check_metrics(chosen, annotators.offered | (frozenset() if args.mask is None else {"mask:person"}))
    device = resolve(args.device)
    return chosen, Scorer(chosen.metrics, annotators, "cpu" if device.type == "mps" else device)


def _check_metrics(chosen: MetricSet, offered: frozenset[str]) -> None:
    lacking = {
        metric.definition.name: f"no back-end for the {need.removeprefix('mask:')} of the target was chosen"
        for metric in chosen.metrics
        for need in metric.needs - offered
    }
    for name, reason in (chosen.unavailable | lacking).items():
        if not reason.startswith("weights not available"):
            raise UserError(f"{name}: {reason}; leave it out, or see `animate evaluate --help`")
    _check_some(chosen.metrics, chosen.unavailable)


def _compare(args: argparse.Namespace, chosen: MetricSet, scorer: Scorer, recorder: Recorder) -> Evaluation:
    from animate.data.pairs import check_sizes, find_pairs

    paired = find_pairs(args.prediction, args.target, args.mask)
    if args.resize is None:
        check_sizes(paired.pairs)
    with recorder:
        for frames in _frames(paired, args.resize):
            scorer.update(frames)
            recorder.add(frames["clip"][0], frames["source"], frames["target"], frames["prediction"])
    return scorer.compute(
        skipped=paired.skipped,
        unavailable=chosen.unavailable,
        warnings=_warnings(paired.pairs),
        provenance=_provenance(args, paired.pairs),
    )


def _frames(paired: Paired, size: tuple[int, int] | None) -> Iterator[Evaluated]:
    """Read clip after clip; what cannot be read is added to ``skipped`` and told."""
    from animate.cli.console import track
    from animate.data.pairs import check_decodes, read_pair

    given = False
    for pair in track(paired.pairs, "comparing", len(paired.pairs), "clips"):
        try:
            check_decodes(pair)
        except (UserError, OSError) as error:
            paired.skipped.append(f"{pair.name}: {' '.join(str(error).split())}")
            continue
        given = True
        yield from _evaluated(pair, read_pair(pair, size, CHUNK))
    if not given:
        raise UserError(f"none of the clips can be read; the first: {paired.skipped[0]}")


def _evaluated(pair: Pair, chunks: Iterator[Frames]) -> Iterator[Evaluated]:
    """Bring the frames of a clip to the conventions of metrics; the source is the target's first frame."""
    import torch

    source: torch.Tensor | None = None
    start = 0
    for chunk in chunks:
        count = len(chunk.target)
        prediction, target = (
            torch.from_numpy(side).movedim(-1, 1).float().div_(255)
            for side in (chunk.prediction, chunk.target)
        )
        source = target[:1].clone() if source is None else source
        frames: Evaluated = {
            "prediction": prediction,
            "target": target,
            "source": source.expand(count, -1, -1, -1),
            "clip": [pair.name] * count,
            "frame": list(range(start, start + count)),
        }
        if chunk.mask is not None:
            frames["masks"] = {"person": torch.from_numpy(chunk.mask)[:, None]}
        yield frames
        start += count


def _warnings(pairs: list[Pair]) -> list[str]:
    sides = {"the predictions": [p.prediction for p in pairs], "the targets": [p.target for p in pairs]}
    lossy = {what: sorted({c for clip in clips for c in clip.lossy}) for what, clips in sides.items()}
    return [WARNING.format(what=what, codecs=", ".join(codecs)) for what, codecs in lossy.items() if codecs]


def _provenance(args: argparse.Namespace, pairs: list[Pair]) -> dict[str, Any]:
    from animate.training.provenance import provenance

    resized = args.resize and f"whole frames, stretched to {args.resize[1]}x{args.resize[0]}"
    mask = {} if args.mask is None else {"mask": str(args.mask.resolve())}
    return provenance(
        prediction=str(args.prediction.resolve()),
        target=str(args.target.resolve()),
        **mask,
        frames="all",
        crop=resized or "whole frames at their own size",
        codec={
            "target": _codecs([pair.target for pair in pairs]),
            "prediction": _codecs([pair.prediction for pair in pairs]),
        },
        annotate={task: getattr(args, task) for task in BACKENDS},
    )


def _codecs(clips: list[Footage]) -> list[str]:
    return sorted({codec for clip in clips for codec in clip.codecs})
