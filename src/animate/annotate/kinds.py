"""The kinds of annotation: which back-end makes each, and what of its answers goes into a sidecar."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import numpy as np

from animate.annotate import backends
from animate.annotate.persons import PersonFinder
from animate.annotate.sheet import draw_boxes, draw_found, draw_matte, draw_points

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from animate.annotate.frames import Batch
    from animate.annotate.protocols import Backend, BoxFinder, Matter, PointFinder, Recogniser
    from animate.annotate.sheet import Drawing
    from animate.sidecars import SidecarWriter

AnyBackend = TypeVar("AnyBackend", bound="Backend")
BOX_VALUES = 5


class Recorder(Protocol):
    """Runs a back-end over the batches of one clip and writes what it says."""

    layout: str
    """The layout of points; empty where there are none."""

    def add(self, batch: Batch, writer: SidecarWriter) -> int:
        """Annotate a batch; return in how many of its frames something was found."""

    def finish(self, writer: SidecarWriter) -> None:
        """Write what was held back until the clip's end."""


class PointRecorder:
    """Points of the main figure; grows by less than a kilobyte per frame."""

    ARRAYS = ("points", "found", "score")

    def __init__(self, backend: PointFinder, num_frames: int) -> None:
        self._backend, self._num_frames = backend, num_frames
        self.layout = backend.layout
        self._arrays: dict[str, NDArray[Any]] = {}

    def add(self, batch: Batch, writer: SidecarWriter) -> int:  # noqa: ARG002
        """See :class:`Recorder`."""
        pose = self._backend(batch.frames)
        for name in self.ARRAYS:
            values = getattr(pose, name)
            _rows(self._arrays, name, self._num_frames, values)[batch.numbers] = values
        return int(pose.found.any(axis=1).sum())

    def finish(self, writer: SidecarWriter) -> None:
        """See :class:`Recorder`."""
        for name, array in self._arrays.items():
            writer.add(name, array)


class IdentityRecorder:
    """An embedding per frame."""

    layout = ""

    def __init__(self, backend: Recogniser, num_frames: int) -> None:
        self._backend, self._num_frames = backend, num_frames
        self._arrays: dict[str, NDArray[Any]] = {}

    def add(self, batch: Batch, writer: SidecarWriter) -> int:  # noqa: ARG002
        """See :class:`Recorder`."""
        identity = self._backend(batch.frames)
        for name in ("embedding", "found"):
            values = getattr(identity, name)
            _rows(self._arrays, name, self._num_frames, values)[batch.numbers] = values
        return int(identity.found.sum())

    def finish(self, writer: SidecarWriter) -> None:
        """See :class:`Recorder`."""
        for name, array in self._arrays.items():
            writer.add(name, array)


class BoxRecorder:
    """Any number of boxes per frame."""

    layout = ""

    def __init__(self, backend: BoxFinder, num_frames: int) -> None:  # noqa: ARG002
        self._backend = backend
        self._boxes: list[tuple[float, ...]] = []
        self._frames: list[int] = []

    def add(self, batch: Batch, writer: SidecarWriter) -> int:  # noqa: ARG002
        """See :class:`Recorder`."""
        found = self._backend(batch.frames)
        for number, boxes in zip(batch.numbers, found, strict=True):
            self._boxes += boxes
            self._frames += [number] * len(boxes)
        return sum(bool(boxes) for boxes in found)

    def finish(self, writer: SidecarWriter) -> None:
        """See :class:`Recorder`."""
        writer.add("boxes", np.asarray(self._boxes, np.float32).reshape(-1, BOX_VALUES))
        writer.add("frame", np.asarray(self._frames, np.int64))


class MatteRecorder:
    """A matte per frame, written at once."""

    layout = ""

    def __init__(self, backend: Matter, num_frames: int) -> None:  # noqa: ARG002
        self._backend = backend

    def add(self, batch: Batch, writer: SidecarWriter) -> int:
        """See :class:`Recorder`."""
        mattes = self._backend(batch.frames)
        return sum(writer.add_matte(n, matte) for n, matte in zip(batch.numbers, mattes, strict=True))

    def finish(self, writer: SidecarWriter) -> None:
        """See :class:`Recorder`."""


def _rows(arrays: dict[str, NDArray[Any]], name: str, count: int, values: NDArray[Any]) -> NDArray[Any]:
    """Return the clip's array of this name, zeros at first, with a row for each of its frames."""
    if name not in arrays:
        arrays[name] = np.zeros((count, *values.shape[1:]), values.dtype)
    return arrays[name]


@dataclass(frozen=True, slots=True)
class Kind(Generic[AnyBackend]):
    """One kind of annotation."""

    name: str
    make: Callable[[str], AnyBackend]
    """Makes the back-end of a name; raises ``UserError`` when it cannot."""
    record: Callable[[AnyBackend, int], Recorder]
    """Starts a clip of so many frames."""
    draw: Drawing
    """Shows it in a picture."""


LANDMARKS: Kind[PointFinder] = Kind("landmarks", backends.landmarks, PointRecorder, draw_points)
POSE: Kind[PointFinder] = Kind("pose", backends.poses, PointRecorder, draw_points)
FACES: Kind[BoxFinder] = Kind("faces", backends.faces, BoxRecorder, draw_boxes)
PERSONS: Kind[BoxFinder] = Kind("persons", PersonFinder.named, BoxRecorder, draw_boxes)
IDENTITY: Kind[Recogniser] = Kind("identity", backends.recogniser, IdentityRecorder, draw_found)
MATTES: Kind[Matter] = Kind("mattes", backends.mattes, MatteRecorder, draw_matte)

KINDS: Mapping[str, Kind[Any]] = {
    kind.name: kind for kind in (LANDMARKS, POSE, FACES, PERSONS, IDENTITY, MATTES)
}
