"""Animate a picture live: a thread reads what comes, the newest frame is animated, older ones are dropped."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from queue import SimpleQueue
from threading import Event, Lock, Thread
from time import monotonic
from typing import TYPE_CHECKING, Generic, NamedTuple, Protocol, TypeVar

import numpy as np
import torch

from animate.pipelines.drive import to_pictures, to_tensor
from animate.pipelines.framing import to_model
from animate.pipelines.motion import MotionTransfer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from fractions import Fraction

    from numpy.typing import NDArray

    from animate.pipelines.drive import EncodedSource
    from animate.pipelines.framing import Box
    from animate.pipelines.keypoint_smoothing import OneEuro
    from animate.video.live import LiveFrame

    Picture = NDArray[np.uint8]

Item = TypeVar("Item")
RECALIBRATE, QUIT = "r", "q"


class Newest(Generic[Item]):
    """A queue for one item between two threads: a new one takes the place of one that nobody has taken yet.

    ``end`` may be called in a signal handler.
    """

    def __init__(self) -> None:
        self.dropped = 0
        self._item: Item | None = None
        self._lock = Lock()
        self._tokens: SimpleQueue[bool] = SimpleQueue()
        """True: an item is there, False: no more come. Its ``put`` may interrupt itself."""

    def put(self, item: Item) -> None:
        """Put an item, and drop the one before if it is still there."""
        with self._lock:
            waiting, self._item = self._item is not None, item
        if waiting:
            self.dropped += 1
        else:
            self._tokens.put(True)

    def end(self) -> None:
        """Let ``take`` return None once the last item is taken."""
        self._tokens.put(False)

    def take(self) -> Item | None:
        """Wait for an item; None: no more come."""
        if not self._tokens.get():
            return None
        with self._lock:
            item, self._item = self._item, None
        return item


class Screen(Protocol):
    """Shows results: a window, a virtual camera."""

    def show(self, picture: Picture) -> str:
        """Show (H, W, 3) RGB; return the keys that were pressed since the last one."""

    def close(self) -> None:
        """Let go of it."""


class LiveModel:
    """Animates one frame after the other, as :func:`animate.pipelines.drive.drive` does, with a memory.

    Args:
        source: what is animated.
        relative: carry over what changed since the start frame, else the pose itself.
        adapt_scale: scale relative movement by the sizes of both objects.
        smoothing: of the keypoints; it is told how far apart frames are.

    """

    def __init__(
        self, source: EncodedSource, *, relative: bool, adapt_scale: bool, smoothing: OneEuro | None
    ) -> None:
        self._source, self._smoothing = source, smoothing
        self._relative, self._adapt_scale = relative, adapt_scale
        self._transfer: MotionTransfer | None = None
        self._before: Fraction | None = None

    def recalibrate(self) -> None:
        """Take the next frame as the start frame: it shows the pose of the source."""
        self._transfer = None

    @torch.inference_mode()
    def __call__(self, square: Picture, time: Fraction) -> Picture:
        """Animate one frame of the model's size, shown at this time: (S, S, 3), or 4 with a matte."""
        networks = self._source.networks
        found = networks.keypoint_detector(to_tensor(networks, [square]))
        if self._smoothing is not None:
            if self._before is not None and time > self._before:
                self._smoothing.fps = float(1 / (time - self._before))
            self._before = time
            found = self._smoothing(found)
        if self._transfer is None:
            self._transfer = MotionTransfer(
                self._source.keypoints, found, relative=self._relative, adapt_scale=self._adapt_scale
            )
        picture: Picture = to_pictures(self._source.render(self._transfer(found)))[0]
        return picture


@dataclass(slots=True)
class Report:
    """How a live session went."""

    frames: int = 0
    dropped: int = 0
    latencies: array[float] = field(default_factory=lambda: array("f"))
    """Seconds from a frame's arrival until its result was shown; four bytes each."""
    seconds: float = 0.0

    def latency(self, percent: float) -> float:
        """Tell the milliseconds that so many percent of the frames stayed below; 0 without frames."""
        return float(np.percentile(np.asarray(self.latencies), percent)) * 1000 if self.latencies else 0.0

    def line(self) -> str:
        """Say it in one line."""
        rate = self.frames / self.seconds if self.seconds else 0.0
        return (
            f"{rate:.1f} frames/s, {self.dropped} dropped, latency {self.latency(50):.0f} ms (median), "
            f"{self.latency(95):.0f} ms (95 %)"
        )


class Wiring(NamedTuple):
    """What a live session is made of."""

    model: LiveModel
    size: int
    """Side of the model's square."""
    box: Box | None
    """The part of each frame that is looked at; the biggest square in its middle unless given."""
    compose: Callable[[Picture, Picture], Picture]
    """Makes an output frame of a result and the square that it came from."""
    screens: list[Screen]
    write: Callable[[Picture, Fraction], None]
    """Takes every output frame with its time."""
    keys: Callable[[], str]
    """Tells which keys were pressed elsewhere."""


def run_live(
    frames: Iterator[LiveFrame], queue: Newest[LiveFrame], wiring: Wiring, ended: Event
) -> Iterator[Report]:
    """Animate what comes until it ends; yield the report after each frame, the last one whole.

    A thread reads ``frames`` into ``queue``; here the newest is animated, shown and written. ``queue.end()``
    ends the session after the frame at hand. An error of the reader ends it too and is raised at the end.
    """
    errors: list[BaseException] = []
    reader = Thread(target=_read, args=(frames, queue, errors), daemon=True, name="live input")
    report, began = Report(), monotonic()
    reader.start()
    try:
        while (frame := queue.take()) is not None:
            pressed = _one(frame, wiring)
            report.frames += 1
            report.dropped, report.seconds = queue.dropped, monotonic() - began
            report.latencies.append(monotonic() - frame.arrived)
            yield report
            if RECALIBRATE in pressed:
                wiring.model.recalibrate()
            if QUIT in pressed:
                break
    finally:
        ended.set()
        reader.join(timeout=1.0)  # it may wait for a network; it is a daemon
        for screen in wiring.screens:
            screen.close()
    if errors:
        raise errors[0]


def _one(frame: LiveFrame, wiring: Wiring) -> str:
    """Animate, show and write one frame; return the keys that were pressed."""
    box = wiring.box and wiring.box.check(frame.image, "the live input")
    square = to_model(frame.image, wiring.size, box)
    picture = wiring.compose(wiring.model(square, frame.time), square)
    pressed = "".join(screen.show(picture) for screen in wiring.screens)
    wiring.write(picture, frame.time)
    return pressed + wiring.keys()


def _read(frames: Iterator[LiveFrame], queue: Newest[LiveFrame], errors: list[BaseException]) -> None:
    try:
        for frame in frames:
            queue.put(frame)
    except BaseException as error:
        errors.append(error)
    finally:
        queue.end()
