"""``animate drive`` with live input: ``--camera N``, ``--driving -`` or an address."""

from __future__ import annotations

import select
import signal
import sys
from contextlib import contextmanager, nullcontext
from threading import Event
from typing import TYPE_CHECKING

from animate.errors import UserError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator
    from fractions import Fraction
    from types import FrameType

    import numpy as np
    from numpy.typing import NDArray

    from animate.pipelines.animation_model import AnimationModel
    from animate.pipelines.files import DriveSettings
    from animate.pipelines.live import Newest, Report, Screen, Wiring
    from animate.video.encode import VideoWriter
    from animate.video.live import LiveFrame, LiveSource

TERMINATED = 143
_NOT_LIVE = ("start", "stop", "best_frame", "resume")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options that are for live input only."""
    parser.add_argument("--preview", action="store_true", help="live: show results in a window (r, q)")
    parser.add_argument(
        "--virtual-camera", action="store_true", help="live: send results to a virtual camera"
    )


def is_live(args: argparse.Namespace) -> bool:
    """Tell whether frames come from a camera, a pipe or an address."""
    return args.camera is not None or isinstance(args.driving, str)


def check(args: argparse.Namespace) -> None:
    """Raise ``UserError`` for options that do not go together, or a live output, before anything opens."""
    from animate.video.encode import check_output

    if not is_live(args):
        if args.preview or args.virtual_camera:
            raise UserError("--preview and --virtual-camera are for live input: --camera N or --driving -")
        if args.output is None:
            raise UserError("--output is missing: name .mp4, .webm, .gif, or a folder for PNG files")
        return
    given = [f"--{name.replace('_', '-')}" for name in _NOT_LIVE if getattr(args, name)]
    if given:
        raise UserError(f"{given[0]} is for files: live input has no end that could be looked at first")
    if str(args.driving_box or "").partition(":")[0] in ("face", "person"):
        raise UserError("--driving-box of live input: give x,y,width,height in pixels")
    if args.output is None and not args.preview and not args.virtual_camera:
        raise UserError("nowhere to show the result: give --output, --preview or --virtual-camera")
    if args.output is not None:
        check_output(args.output, args.overwrite)


def run(
    args: argparse.Namespace,
    networks: AnimationModel,
    settings: DriveSettings,
    matte: NDArray[np.float32] | None,
) -> int:
    """Animate what comes until it ends, or Ctrl-C; return the exit code."""
    from animate.pipelines.live import Newest, Report, run_live
    from animate.redaction import without_secrets
    from animate.video.live import LiveSource

    ended, queue, report = Event(), Newest["LiveFrame"](), Report()
    screens = _screens(args)
    with _signals(queue) as caught:
        source = LiveSource(args.camera or args.driving, ended, device=args.camera is not None)
        name = without_secrets(source.name)
        print(f"{name}: {float(source.fps):g} frames/s; Ctrl-C ends, r and Enter sets the start frame")
        with _writer(args, source) as writer:
            wiring = _wiring(args, networks, settings, matte, source, screens, writer)
            for now in _shown(run_live(source.frames(), queue, wiring, ended)):
                report = now
    where = "" if args.output is None else f"{args.output}: "
    print(f"{where}{report.frames} frames, {report.line()}")
    return TERMINATED if signal.SIGTERM in caught else 0


@contextmanager
def _signals(queue: Newest[LiveFrame]) -> Iterator[list[int]]:
    """Within the block Ctrl-C and SIGTERM end the session after the frame at hand; yield those that came."""
    caught: list[int] = []

    def end(number: int, _frame: FrameType | None) -> None:
        if caught:  # again: at once
            raise KeyboardInterrupt
        caught.append(number)
        queue.end()

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield caught
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _screens(args: argparse.Namespace) -> list[Screen]:
    from animate.pipelines.screens import VirtualCamera, Window

    shown: list[Screen] = [Window()] if args.preview else []
    return [*shown, VirtualCamera(25.0)] if args.virtual_camera else shown


def _writer(args: argparse.Namespace, source: LiveSource) -> VideoWriter | nullcontext[None]:
    from animate.video.encode import VideoWriter

    if args.output is None:
        return nullcontext()
    return VideoWriter(args.output, source.fps, overwrite=args.overwrite)


def _wiring(
    args: argparse.Namespace,
    networks: AnimationModel,
    settings: DriveSettings,
    matte: NDArray[np.float32] | None,
    source: LiveSource,
    screens: list[Screen],
    writer: VideoWriter | None,
) -> Wiring:
    from animate.pipelines.composition import composition
    from animate.pipelines.drive import EncodedSource, model_size
    from animate.pipelines.files import read_source
    from animate.pipelines.framing import Box, to_model
    from animate.pipelines.keypoint_smoothing import OneEuro
    from animate.pipelines.live import LiveModel, Wiring
    from animate.video.image import resize_mask

    size, picture = model_size(networks), read_source(args.source)
    box = (settings.box or Box.centre_square(*picture.shape[:2])).check(picture, str(args.source))
    square = to_model(picture, size, box)
    small = None if matte is None else resize_mask(box.cut(matte), (size, size))
    model = LiveModel(
        EncodedSource(networks, square, small),
        relative=settings.relative,
        adapt_scale=settings.adapt_scale,
        smoothing=OneEuro(float(source.fps)) if settings.smooth else None,
    )

    def write(result: NDArray[np.uint8], time: Fraction) -> None:
        if writer is not None:
            writer.write(result, time)

    compose = composition(picture, square, box, settings, matte)
    typed = _typed if sys.stdin.isatty() and sys.platform != "win32" else str
    return Wiring(model, size, settings.driving_box, compose, screens, write, typed)


def _typed() -> str:
    """Read what has been typed on the terminal, a line at a time, without waiting for it."""
    return sys.stdin.readline().strip() if select.select([sys.stdin], [], [], 0)[0] else ""


def _shown(reports: Iterator[Report]) -> Iterator[Report]:
    """Pass reports on under a progress line."""
    from animate.cli.console import bar

    with bar("live", None) as advance:
        for report in reports:
            advance(1, f"live, {report.line()}" if report.frames % 10 == 0 else "live")
            yield report
