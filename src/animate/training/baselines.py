"""What can be predicted without a model, as from the training frames alone: rows that it has to beat."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

import numpy as np
import torch

from animate.data.annotations import in_layout
from animate.data.clips import ClipCache, open_clip
from animate.data.in_order import check_whole, in_order
from animate.data.index import with_progress
from animate.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from animate.data.index import Clip, ClipIndex
    from animate.types import Batch

NEAREST_POSE = "nearest_pose"
MEAN_PICTURE = "mean_picture"
_CHUNK = 16  # frames that are held at a time


class Baseline(Protocol):
    """Predicts the frames that a batch asks for, without a model."""

    def __call__(self, batch: Batch) -> Tensor:
        """Predict frames 1 to T - 1 of each of B clips: (N, 3, H, W) in [0, 1] on the CPU, N = B (T - 1)."""


@runtime_checkable
class Learning(Baseline, Protocol):
    """A baseline that has to see the training frames first."""

    @property
    def frames(self) -> int:
        """How many training frames it knows."""

    def add(self, clip: Clip, size: tuple[int, int]) -> None:
        """Learn a training clip at this (height, width).

        Raises:
            UserError: it cannot be used; then nothing of it is.

        """


class MeanPicture:
    """Every pixel's mean over all training frames, whatever is asked for. Sums are whole numbers: exact."""

    def __init__(self) -> None:
        self.frames = 0
        self._sum: NDArray[np.int64] | None = None

    def add(self, clip: Clip, size: tuple[int, int]) -> None:
        """See :class:`Baseline`; the clip passes as a stream."""
        total, count = np.zeros((*size, 3), np.int64), 0
        for frames in in_order(clip, open_clip(clip), _CHUNK, size):
            total += frames.sum(0, dtype=np.int64)
            count += len(frames)
        self._sum = total if self._sum is None else self._sum + total
        self.frames += count

    def __call__(self, batch: Batch) -> Tensor:
        """See :class:`Baseline`."""
        assert self._sum is not None
        picture = torch.from_numpy(self._sum / (255 * self.frames)).float().movedim(-1, 0)
        samples, frames = batch["frames"].shape[:2]
        return picture.expand(samples * (frames - 1), -1, -1, -1)


class NearestPose:
    """The training frame whose pose is nearest (Chan et al., "Everybody Dance Now", 2019).

    The distance of two poses is the mean Euclidean distance, in pixels of the frames that are scored, of the
    joints that both show. A training frame must share at least half of the joints that the pose asked for
    shows; where none does, those count that share most. Of several the first is taken. A frame without a pose
    gets the first training frame; training frames without one are passed over.

    Poses are kept in memory, frames are read when they are chosen.

    Args:
        layout: of the points that are compared; those of clips are translated to it.

    """

    def __init__(self, layout: str) -> None:
        self._layout = layout
        self._clips: list[Clip] = []
        self._places: list[tuple[int, int]] = []
        """Of each pose: the number of its clip, and of the frame there."""
        self._poses: list[tuple[NDArray[np.float32], NDArray[np.bool_]]] = []
        """Of each clip: points (M, J, 2) in [-1, 1], and which are visible (M, J)."""
        self._cache = ClipCache()

    @property
    def frames(self) -> int:
        """Training frames with a pose."""
        return len(self._places)

    def add(self, clip: Clip, size: tuple[int, int]) -> None:
        """See :class:`Baseline`."""
        known = open_clip(clip).truth(range(clip.num_frames), size)
        if "points" not in known:
            raise UserError(f"{clip.name}: has no poses")
        found = in_layout(known, self._layout, clip.name)
        check_whole(clip)
        there = np.flatnonzero(found["visible"].any(axis=1))
        self._poses.append((found["points"][there], found["visible"][there]))
        self._places += [(len(self._clips), int(frame)) for frame in there]
        self._clips.append(clip)

    def __call__(self, batch: Batch) -> Tensor:
        """See :class:`Baseline`."""
        height, width = batch["frames"].shape[-2:]
        points, visible = (batch[key][:, 1:].flatten(0, 1).cpu().numpy() for key in ("points", "visible"))
        rows = [self.nearest(*pose, (height, width)) for pose in zip(points, visible, strict=True)]
        pictures = self._read([self._places[row] for row in rows], (height, width))
        return torch.from_numpy(pictures).movedim(-1, 1).float().div_(255)

    def nearest(self, points: NDArray[np.float32], visible: NDArray[np.bool_], size: tuple[int, int]) -> int:
        """Find a pose, points (J, 2) in [-1, 1] and which are visible (J,), among all: its number."""
        known, there = self._known
        shared = there & visible
        pixels = (known - points) * (np.subtract(size[::-1], 1) / 2)
        count = shared.sum(axis=1)
        distance = (np.linalg.norm(pixels, axis=-1) * shared).sum(axis=1) / count.clip(min=1)
        enough = count >= min(visible.sum() / 2, count.max())
        return int(np.where(enough, distance, np.inf).argmin())

    @cached_property
    def _known(self) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """All poses: points (M, J, 2), and which are visible (M, J)."""
        points, visible = zip(*self._poses, strict=True)
        return np.concatenate(points).astype(np.float64), np.concatenate(visible)

    def _read(self, places: Sequence[tuple[int, int]], size: tuple[int, int]) -> NDArray[np.uint8]:
        pictures = np.empty((len(places), *size, 3), np.uint8)
        for number in {number for number, _ in places}:
            rows = [row for row, place in enumerate(places) if place[0] == number]
            reader = self._cache.open(self._clips[number])
            pictures[rows] = reader.frames([places[row][1] for row in rows], size)
        return pictures


class Fitted(NamedTuple):
    """What :func:`fit` gives."""

    baselines: Mapping[str, Baseline]
    """Those that there are training frames for."""
    warnings: list[str]
    """What is missing, and why."""


def fit(
    baselines: Mapping[str, Baseline], index: ClipIndex, size: tuple[int, int], *, told: bool = True
) -> Fitted:
    """Show the training frames to baselines that learn and have seen none yet; others are left as they are.

    A clip that one of them cannot use is left out of it. A baseline that is left without a frame has no row;
    so have all of them where there are no training clips. Both are warned of.

    Args:
        baselines: by the name of their row.
        index: whose ``train`` split is shown, every frame of it.
        size: (height, width) of the frames.
        told: whether a terminal shows the progress.

    """
    learning = {name: one for name, one in baselines.items() if isinstance(one, Learning)}
    ready = {name: one for name, one in baselines.items() if name not in learning}
    try:
        clips = index.clips("train") if learning else ()
    except UserError as error:
        return Fitted(ready, [f"no rows {' and '.join(learning)}: there are no training frames ({error})"])
    warnings = []
    for name, baseline in learning.items():
        shown = with_progress(clips, f"training frames for {name}", len(clips), told)
        problems = [problem for clip in shown if (problem := _left_out(baseline, clip, size))]
        if not baseline.frames:
            why = problems[0] if problems else "no training frame shows a pose"
            warnings.append(f"no row {name}: {why}")
        elif problems:
            left_out = f"{len(problems)} of {len(clips)} training clips are left out"
            warnings.append(f"row {name}: {left_out}; the first: {problems[0]}")
    return Fitted(ready | {name: one for name, one in learning.items() if one.frames}, warnings)


def _left_out(baseline: Learning, clip: Clip, size: tuple[int, int]) -> str:
    """Add a clip; tell why it could not be, else nothing."""
    try:
        baseline.add(clip, size)
    except (UserError, OSError) as error:
        return f"{clip.name}: {' '.join(str(error).split())}"
    return ""
