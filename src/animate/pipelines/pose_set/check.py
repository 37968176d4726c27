"""Says whether a video is good enough to learn a person from, and why not.

The thresholds are rules of thumb from what goes wrong in practice: a person that is cut off, poses that were
never shown, motion blur, a camera that moves. Each is stated with what was measured.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from animate.errors import UserError
from animate.layouts import layout_named
from animate.pipelines.pose_normalisation import Filmed, globally, normalised
from animate.pipelines.pose_set import pictures
from animate.pipelines.pose_set.coverage import Shapes, distinct, uncovered
from animate.pipelines.pose_set.reading import frames_at

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from animate.annotate.protocols import Pose
    from animate.pipelines.pose_set.recipe import PoseSet

LOOKED_AT = 48
"""Frames whose pictures are looked at, with the one after each, evenly spaced."""
WHOLE = ("nose", "shoulder", "elbow", "wrist", "hip", "knee", "ankle")
"""A person is whole when all of these, on both sides, are found inside of the frame."""
FOUND_SHARE, WHOLE_SHARE = 0.95, 0.8
MIN_FRAMES, MIN_DISTINCT = 500, 30
COVERED_SHARE = 0.1
SMALL, SHARP, BLURRED_SHARE = 0.4, 100.0, 0.2
CAMERA, LIGHT, BUSY = 0.1, 12.0, 0.15
JUMP, JUMPS_SHARE = 0.3, 0.01


@dataclass(frozen=True, slots=True)
class Advice:
    """Something that could be better."""

    text: str
    serious: bool
    """Whether a training on this is hardly worth its time."""


@dataclass(slots=True)
class Report:
    """What was measured, and the verdict."""

    role: str
    frames: int
    seconds: float
    found: float
    """Share of frames with a usable pose."""
    whole: float
    """Share of frames in which the whole body is found inside of the frame."""
    skipped: dict[str, int]
    """How many frames were skipped for which reason."""
    height: float
    """Median from nose to ankles, as a share of the frame's height; 0 where it is not known."""
    jumps: int
    """How often the person is suddenly somewhere else: a cut, or another person."""
    distinct: int
    """Poses of which no two are near each other; of up to 800 evenly spaced ones."""
    sharpness: float
    """Median variance of the Laplacian on the person."""
    blurred: float
    """Share of frames with less than 100."""
    camera: float
    """How far the background moves from a frame to the next, in % of the width: the 90th percentile."""
    light: float
    """How much the background differs from that of the first frame, in grey levels: the 90th percentile."""
    busy: float
    """Share of the background's pixels that are edges."""
    source_frames: int = 0
    uncovered: list[int] = field(default_factory=list)
    """Frames of the source whose pose has no near neighbour here, the farthest first."""
    least_sharp: list[int] = field(default_factory=list)
    """The frames looked at that are least sharp."""
    advice: list[Advice] = field(default_factory=list)

    @property
    def verdict(self) -> str:
        """Say it in a word or two."""
        if any(advice.serious for advice in self.advice):
            return "not good enough"
        return "usable" if self.advice else "good"

    def to_json(self) -> dict[str, Any]:
        """Give all of it as plain values."""
        return asdict(self) | {"verdict": self.verdict}


def check(made: PoseSet, source: PoseSet | None = None) -> Report:
    """Look at a data set.

    Args:
        made: the data set.
        source: the one whose dance the person is to dance.

    Raises:
        UserError: files of a data set are missing or damaged.

    """
    pose = made.poses()
    usable = np.array([n not in made.skipped for n in range(len(made.numbers))])
    height = person_height(pose)
    seen = _look(made, pose, np.flatnonzero(usable & pose.found.any(axis=1)))
    report = Report(
        role=str(made.recipe["role"]),
        frames=len(usable),
        seconds=len(usable) / made.fps,
        found=float(usable.mean()),
        whole=float(whole(pose).mean()),
        skipped=dict(Counter(made.skipped.values()).most_common()),
        height=height / 2.0,
        jumps=_jumps(pose, made.aspect, height),
        distinct=distinct(Shapes(pose, made.aspect, height or 1.0)),
        **seen,
    )
    if source is not None:
        report.source_frames, report.uncovered = _uncovered(made, pose, source)
    report.advice = advise(report)
    return report


def person_height(pose: Pose) -> float:
    """Measure the median from nose to ankles, in halves of the picture's height; 0 where it is not known."""
    layout = layout_named(pose.layout)
    if not {"nose", "right_ankle", "left_ankle"} <= set(layout.points):
        return 0.0
    nose, *ankles = (layout.index(name) for name in ("nose", "right_ankle", "left_ankle"))
    known = pose.found[:, [nose, *ankles]].all(axis=1)
    y = pose.points[known][..., 1]
    return float(np.median(np.abs(y[:, ankles].mean(axis=1) - y[:, nose]))) if known.any() else 0.0


def whole(pose: Pose) -> NDArray[np.bool_]:
    """Tell in which frames (N,) the whole body is inside."""
    names = layout_named(pose.layout).points
    needed = [j for j, name in enumerate(names) if name.removeprefix("left_").removeprefix("right_") in WHOLE]
    inside = pose.found & (np.abs(pose.points) <= 1.0).all(axis=-1)
    return np.asarray(inside[:, needed].all(axis=1) & bool(needed))


def _jumps(pose: Pose, aspect: float, height: float) -> int:
    """Count frames in which the middle of the joints moves by more than a share of the person's height."""
    both = pose.found[1:] & pose.found[:-1]
    moved = np.linalg.norm(np.diff(pose.points, axis=0) * [aspect, 1.0], axis=-1)
    count = both.sum(axis=1)
    mean = (moved * both).sum(axis=1) / np.maximum(count, 1)
    return int((mean[count > 0] > JUMP * height).sum()) if height else 0


def _look(made: PoseSet, pose: Pose, somebody: NDArray[np.int64]) -> dict[str, Any]:
    """Measure evenly spaced frames, and the step to the next frame."""
    chosen = np.unique(np.linspace(0, len(somebody) - 1, min(LOOKED_AT, len(somebody))).round().astype(int))
    numbers = [int(somebody[n]) for n in chosen]
    sharp, busy, shifts, light = [], [], [], []
    first: tuple[NDArray[np.uint8], pictures.Region | None] | None = None
    for number, image, following in frames_at(made, numbers):
        here, picture = pictures.region(pose, number, made.size), pictures.grey(image)
        background = pictures.outside(made.size, here)
        sharp.append(pictures.sharpness(picture, here) if here else 0.0)
        busy.append(pictures.busyness(picture, background))
        first = first or (picture, here)
        light.append(pictures.change(first[0], picture, pictures.outside(made.size, here, first[1])))
        if following is not None:
            moved = pictures.shift(picture, pictures.grey(following), background)
            shifts += [] if moved is None else [100.0 * moved / made.size[1]]
    least = [numbers[n] for n in np.argsort(sharp, kind="stable")[:8]]
    return {
        "sharpness": _middle(sharp),
        "blurred": float(np.mean(np.array(sharp) < SHARP)) if sharp else 0.0,
        "camera": float(np.percentile(shifts, 90)) if shifts else 0.0,
        "light": float(np.percentile(light, 90)) if light else 0.0,
        "busy": _middle(busy),
        "least_sharp": least,
    }


def _middle(values: list[float]) -> float:
    return float(np.median(values)) if values else 0.0


def _uncovered(made: PoseSet, pose: Pose, source: PoseSet) -> tuple[int, list[int]]:
    """Compare with the source's poses as they will be shown: normalised to the target.

    Where one of the two never shows a whole person there is nothing to compare, which is told as such.
    """
    theirs = source.poses()
    try:
        as_ours = normalised(Filmed(pose, made.aspect), Filmed(theirs, source.aspect), globally)
    except UserError:
        return 0, []
    height = person_height(pose)
    target = Shapes(pose, made.aspect, height, most=4000)
    shapes = Shapes(as_ours, made.aspect, height)
    return len(shapes.numbers), uncovered(target, shapes)


def advise(report: Report) -> list[Advice]:
    """Say what could be better, the serious things first."""
    r = report
    missing = len(r.uncovered) / max(r.source_frames, 1)
    target = r.role == "target"
    rules = (
        (
            r.found < FOUND_SHARE,
            r.found < 0.5,
            f"a usable pose is found in {r.found:.0%} of the frames only: "
            "keep the person in the picture, alone and well lit",
        ),
        (
            r.whole < WHOLE_SHARE,
            r.whole < 0.2,
            f"the whole body is in the frame in {r.whole:.0%} of the frames"
            " only: step back, or crop wider, so that head, hands and feet stay inside",
        ),
        (
            target and r.frames < MIN_FRAMES,
            r.frames < 50,
            f"{r.frames} frames are few: film about three minutes; at least {MIN_FRAMES} frames",
        ),
        (
            target and r.distinct < MIN_DISTINCT,
            r.distinct < 5,
            f"only {r.distinct} poses differ clearly: move"
            " arms, legs and body in all the ways that the dance will need",
        ),
        (
            missing > COVERED_SHARE,
            missing > 0.5,
            f"{missing:.0%} of the source's poses were never shown in"
            " anything like them: film those too (they are on the sheet)",
        ),
        (
            0 < r.height < SMALL,
            0 < r.height < SMALL / 2,
            f"the person is small, {r.height:.0%} of the frame's"
            " height: come closer, or prepare with --crop person",
        ),
        (
            r.blurred > BLURRED_SHARE,
            False,
            f"{r.blurred:.0%} of the frames are blurred: use more light and a"
            " shorter exposure, at 50 or 60 frames per second",
        ),
        (
            target and r.camera > CAMERA,
            r.camera > 5 * CAMERA,
            f"the camera moves, {r.camera:.2f} % of the width from a frame to the next: put it on a tripod",
        ),
        (
            target and r.light > LIGHT,
            False,
            f"the background changes by {r.light:.0f} grey levels over the video:"
            " fix exposure and white balance, keep others out of the picture",
        ),
        (
            target and r.busy > BUSY,
            False,
            f"the background is busy, {r.busy:.0%} of it edges: a plain one trains best",
        ),
        (
            r.jumps > JUMPS_SHARE * r.frames,
            r.jumps > 0.1 * r.frames,
            f"{r.jumps} times the person is suddenly"
            " elsewhere: cuts, or a second person whom the pose finder takes for the first",
        ),
    )
    found = [Advice(text, serious) for applies, serious, text in rules if applies]
    return sorted(found, key=lambda advice: not advice.serious)
