"""``animate drive``: move a picture like a video."""

from __future__ import annotations

import argparse
import importlib.metadata
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

from animate.cli import drive_live

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from animate.pipelines.files import DriveSettings

RUNTIMES = ("torch", "onnxruntime")


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the arguments; nothing heavy is imported for that."""
    about = "animate a picture with the motion of a video"
    parser = subparsers.add_parser(
        "drive", help=about, description=f"{about.capitalize()} (docs/inference.md)."
    )
    _add_files(parser)
    _add_motion(parser)
    _add_framing(parser)
    drive_live.add_options(parser)
    add_compute(parser)
    parser.add_argument(
        "--runtime", choices=RUNTIMES, default="torch", help="what computes the networks (default torch)"
    )
    parser.set_defaults(run=run)


def _add_files(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--checkpoint",
        type=Path,
        required=True,
        metavar="PATH",
        help="trained or converted model; with --runtime onnxruntime a folder of `animate export`",
    )
    parser.add_argument("--source", type=Path, required=True, metavar="PICTURE", help="what is animated")
    driving = parser.add_mutually_exclusive_group(required=True)
    driving.add_argument(
        "--driving",
        type=_driving,
        metavar="VIDEO",
        help="what moves it: a video or a folder of pictures; live: - for standard input, or an address",
    )
    driving.add_argument("--camera", metavar="N", help="live: the number or the name of a camera")
    parser.add_argument(
        "--output", type=Path, metavar="PATH", help=".mp4, .webm, .gif, or a folder for PNG files"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace an existing output file")
    parser.add_argument(
        "--resume",
        action="store_true",
        help="keep what is done in OUTPUT.partial while it runs, and go on from there when it was broken off",
    )
    parser.add_argument("--no-audio", action="store_true", help="leave the driving video's sound out")
    add_range(parser, "driving frame")


def add_range(parser: argparse.ArgumentParser, what: str) -> None:
    """Declare ``--start`` and ``--stop`` of these frames."""
    parser.add_argument("--start", type=natural, default=0, metavar="N", help=f"first {what}, from 0")
    parser.add_argument("--stop", type=natural, metavar="N", help=f"the {what} before which to stop")


def _add_motion(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--absolute",
        action="store_true",
        help="take the driving pose itself, not its change since the start frame",
    )
    parser.add_argument(
        "--adapt-scale",
        action="store_true",
        help="scale movement by the sizes of the two objects (relative only)",
    )
    parser.add_argument(
        "--best-frame",
        type=_best_frame,
        metavar="auto|N|BACKEND",
        help="driving frame in the pose of the source, found by the model's keypoints (auto), given by its "
        "number, or found by the landmarks of a back-end (dlib; docs/annotation.md); relative only",
    )
    parser.add_argument(
        "--smooth", action="store_true", help="take the tremble out of the driving motion (one-euro filter)"
    )


def _add_framing(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--size",
        choices=("model", "keep"),
        default="model",
        help="the model's square (default), or the whole source picture with the animated square pasted back",
    )
    box = "x,y,width,height in pixels, or face or person to find one (default: biggest square in the middle)"
    parser.add_argument("--box", metavar="BOX", help=f"the part of the source that is animated: {box}")
    parser.add_argument(
        "--driving-box", metavar="BOX", help=f"the part of the driving frames that is used: {box}"
    )
    parser.add_argument(
        "--lock-background",
        type=_matte_option,
        metavar="MATTE",
        help="only the figure moves, the rest of the source stands still: a grey picture of its size that is "
        "white on the figure, or the name of a back-end of mattes (docs/mattes.md)",
    )
    parser.add_argument(
        "--grid", action="store_true", help="show source, driving frame and result side by side"
    )


def add_compute(parser: argparse.ArgumentParser) -> None:
    """Declare ``--batch-size`` and ``--device``."""
    parser.add_argument(
        "--batch-size", type=positive, metavar="N", help="frames at once (default 8; fewer on a CPU)"
    )
    parser.add_argument("--device", default="auto", help="auto (default), cpu, cuda, cuda:N or mps")


def _driving(text: str) -> Path | str:
    """Read a path, or what is live: ``-`` or an address."""
    return text if text == "-" or "://" in text else Path(text)


def natural(text: str) -> int:
    """Read a whole number from 0."""
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{text} is below 0")
    return value


def positive(text: str) -> int:
    """Read a whole number from 1."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is below 1")
    return value


def _best_frame(text: str) -> int | str:
    if text == "auto":
        return text
    try:
        return natural(text)
    except ValueError:
        from animate.annotate.backends import LANDMARKS

        if text in LANDMARKS:
            return text
        known = ", ".join(sorted(LANDMARKS))
        raise argparse.ArgumentTypeError(
            f"{text!r} is neither auto, nor a frame number, nor a back-end of landmarks ({known})"
        ) from None


def _matte_option(text: str) -> Path | str:
    from animate.annotate.backends import MATTES

    return text if text in MATTES or text.endswith(".ckpt") else Path(text)


def run(args: argparse.Namespace) -> int:
    """Animate and say what was written."""
    from animate.cli.console import at_once, terminable, track
    from animate.pipelines.animator import Animator
    from animate.pipelines.drive import suitable_batch_size
    from animate.pipelines.files import drive_file

    drive_live.check(args)
    with terminable():
        settings = _settings(args)  # before the checkpoint is read: that takes longer than a slip in options
        matte = _matte(args)
    networks = Animator.load(args.checkpoint, args.device, args.runtime).networks
    settings = replace(settings, batch_size=args.batch_size or suitable_batch_size(networks))
    if drive_live.is_live(args):
        return drive_live.run(args, networks, settings, matte)
    started = perf_counter()
    do = partial(drive_file, networks, args.source, args.driving, settings=settings, track=track, matte=matte)
    with terminable(), at_once(settings.batch_size):
        count = _resumably(args, do, settings) if args.resume else do(args.output)
    print(f"{args.output}: {count} frames, {count / (perf_counter() - started):.1f} frames/s")
    return 0


def _matte(args: argparse.Namespace) -> NDArray[np.float32] | None:
    """Read or find the matte of the source's figure, where its background is to stand still."""
    from animate.pipelines.files import read_source
    from animate.pipelines.locked_background import source_matte

    if args.lock_background is None:
        return None
    return source_matte(read_source(args.source), args.lock_background)


def _resumably(args: argparse.Namespace, do: Callable[..., int], settings: DriveSettings) -> int:
    """Render with what an earlier run of the same command has done."""
    from animate import __version__
    from animate.annotate.runner import content_of
    from animate.pipelines.device import resolve
    from animate.pipelines.kept_frames import resumable
    from animate.sidecars import digest

    torch_version = importlib.metadata.version("torch")
    facts = {
        name.replace("_", "-"): content_of(path)
        for name in ("source", "driving", "lock_background")
        if isinstance(path := getattr(args, name), Path)
    }
    exported = sorted(path for path in args.checkpoint.glob("*") if path.is_file())
    facts["checkpoint"] = digest(exported or [args.checkpoint])
    facts |= {"back-end of mattes": args.lock_background if isinstance(args.lock_background, str) else ""}
    options = asdict(replace(settings, overwrite=False))
    facts |= {f"option {name.replace('_', '-')}": value for name, value in options.items()}
    facts |= {
        "version": f"{__version__}, torch {torch_version}",
        "device": str(resolve(args.device)),
        "runtime": args.runtime,
    }
    with resumable(args.output, facts, settings.overwrite) as kept:
        return do(kept.target, kept=kept)


def _settings(args: argparse.Namespace) -> DriveSettings:
    from animate.cli.drive_box import box
    from animate.pipelines.files import DriveSettings

    return DriveSettings(
        relative=not args.absolute,
        adapt_scale=args.adapt_scale,
        best_frame=args.best_frame,
        smooth=args.smooth,
        keep_size=args.size == "keep",
        box=box("--box", args.box, args.source, 0, 1),
        driving_box=box("--driving-box", args.driving_box, args.driving, args.start, args.stop),
        grid=args.grid,
        start=args.start,
        stop=args.stop,
        audio=not args.no_audio,
        overwrite=args.overwrite,
    )
