"""Makes a data set of frames and poses out of a video.

What is done is kept beside the output until all of it is there, so that a run that was killed goes on; the
data set itself appears whole.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from animate.annotate import backends
from animate.annotate.find import find_clips
from animate.annotate.frames import NOT_DECODED
from animate.annotate.kinds import POSE
from animate.annotate.pose_files import read_poses
from animate.annotate.protocols import Pose
from animate.annotate.runner import Annotated
from animate.annotate.sheet import annotation_sheet
from animate.errors import UserError
from animate.pipelines.pose_set.background import Replacement, Segmentation
from animate.pipelines.pose_set.cutting import check_part, part, placed
from animate.pipelines.pose_set.recipe import MANIFEST, Piece, PoseSet, Recipe
from animate.pipelines.pose_set.video import CHUNK
from animate.pipelines.pose_set.work import cut_frames, find_poses
from animate.pipelines.pose_smoothing import SMOOTHINGS
from animate.pipelines.usable import FEWEST, joints_inside
from animate.sidecars import Header, Key, digest, place, sidecars_of, write_sidecar
from animate.video.atomic import destination
from animate.video.image import write_image
from animate.video.intra import join
from animate.video.results import check_folder, parents, results_folder

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from animate.annotate.protocols import PointFinder
    from animate.pipelines.framing import Box
    from animate.pipelines.pose_set.video import Footage
    from animate.pipelines.pose_set.work import Advance, Cut

SHEET = "contact_sheet.png"
LEAST = 5
"""Frames that a target needs; a useful one has hundreds."""
PIECES, SHORTEST = 8, 16
"""The held-out part is cut into up to so many clips of at least so many frames, so that several devices can
share an evaluation."""


class UnusableError(UserError):
    """The video cannot be made a data set of by this recipe, however often it is tried."""


def untold(count: int, what: str) -> None:
    """Tell nobody about the progress."""


def prepare(
    footage: Footage, output: Path, recipe: Recipe, *, overwrite: bool = False, advance: Advance = untold
) -> PoseSet:
    """Make a data set; or return the one that is there, if it was made of the same by the same recipe.

    Args:
        footage: the video's frames, chosen by the same recipe.
        output: a folder that is not there yet.
        recipe: what to do.
        overwrite: replace another data set that is there.
        advance: is told the progress: each frame twice, with given poses once.

    Raises:
        UserError: the video, the poses or the output are not usable, or there is no person.

    """
    finder = None if recipe.poses else backends.poses(recipe.backend)
    segmentation = Segmentation(recipe.segment, footage) if recipe.segment else None
    applied = _applied(recipe, footage, finder, segmentation)
    if (done := _same(output, applied)) is not None and not overwrite:
        return done
    check_folder(output, overwrite)
    check_part(recipe, footage.size)
    given = _given(recipe.poses, recipe, footage) if recipe.poses else None
    there = destination(output)
    with parents(there):
        work = _work_folder(there, applied)
        try:
            pose = given if finder is None else find_poses(footage, finder, work / "poses", advance)
            assert pose is not None
            if not pose.found.any():
                source = recipe.poses or recipe.backend
                raise UnusableError(
                    f"{footage.path}: in none of {len(pose.found)} frames is a person, by {source}"
                )
            box = part(recipe, pose, footage.size)
            replacement = Replacement(segmentation, pose, footage.numbers) if segmentation else None
            cut = cut_frames(footage, box, recipe.size, work / "frames", advance, replacement)
            pose = placed(SMOOTHINGS[recipe.smooth](pose, footage.fps), box, footage.size, recipe.size)
            with results_folder(output, overwrite) as folder:
                made = _described(footage, applied, recipe, pose, box, cut)
                _write_clips(made, cut, _usable(pose, made.skipped), folder)
                made.write(folder)
                write_image(folder / SHEET, _sheet(made, folder))
        except UserError as error:
            if isinstance(error, UnusableError) or _is_empty(work):
                shutil.rmtree(work)
            raise
        shutil.rmtree(work)
    return replace(made, folder=output)


def _applied(
    recipe: Recipe, footage: Footage, finder: PointFinder | None, segmentation: Segmentation | None
) -> dict[str, Any]:
    """Describe the recipe with all that its result depends on."""
    applied = recipe.to_json() | {"content": footage.content}
    if segmentation is not None:
        applied["segment"] = segmentation.described
    if finder is not None:
        return applied | {"version": f"{finder.name} {finder.version}"}
    assert recipe.poses is not None
    if not recipe.poses.exists():
        raise UserError(f"{recipe.poses}: no such file or folder; check the name")
    files = sorted(recipe.poses.glob("*.json")) if recipe.poses.is_dir() else [recipe.poses]
    return applied | {"version": f"imported {digest(files)}"}


def _same(output: Path, applied: dict[str, Any]) -> PoseSet | None:
    """Read the data set that is there, if it is this one."""
    if not (output / MANIFEST).is_file():
        return None
    there = PoseSet.load(output)
    return there if there.recipe == json.loads(json.dumps(applied)) else None


def _work_folder(output: Path, applied: dict[str, Any]) -> Path:
    """Find what an earlier run has left, or begin anew when that was for something else."""
    work = output.with_name(f".{output.name}.preparing")
    told, text = work / "recipe.json", json.dumps(applied, indent=1)
    if not told.is_file() or told.read_text("utf-8") != text:
        shutil.rmtree(work, ignore_errors=True)
        for folder in (work / "poses", work / "frames"):
            folder.mkdir(parents=True)
        told.write_text(text, "utf-8")
    return work


def _is_empty(work: Path) -> bool:
    """Tell whether no piece of work is done."""
    return not any(any((work / part).iterdir()) for part in ("poses", "frames"))


def _given(path: Path, recipe: Recipe, footage: Footage) -> Pose:
    """Read the poses of the frames that are used, in the video's coordinates."""
    advice = "give the right size with --poses-size HxW (of run: --target-poses-size, --source-poses-size)"
    whole = read_poses(path, recipe.poses_size or footage.size, footage.num_frames, advice)
    used = footage.numbers
    return Pose(whole.layout, whole.points[used], whole.found[used], whole.score[used])


def _described(
    footage: Footage, applied: dict[str, Any], recipe: Recipe, pose: Pose, box: Box, cut: Cut
) -> PoseSet:
    """Say what the data set is, before it is written."""
    skipped = _skipped(pose, cut.useless)
    count = len(footage.numbers)
    pieces = [Piece("test/frames.mp4", 0, count)]
    if recipe.role == "target":
        if count < LEAST:
            raise UnusableError(
                f"{footage.path}: {count} frames are too few to learn from; film some minutes"
            )
        split = min(max(round(count * (1.0 - recipe.test_share)), 1), count - 1)
        good = np.array([place not in skipped for place in range(count)])
        if not good[:split].any():
            raise UnusableError(
                f"{footage.path}: no usable pose in the first {split} frames, those for training"
            )
        pieces = [Piece("train/frames.mp4", 0, split), *_held_out(good, split)]
    return PoseSet(
        folder=footage.path,
        recipe=applied,
        video=str(footage.path.resolve()),
        size=recipe.size,
        fps=footage.fps,
        layout=pose.layout,
        picture=footage.size,
        box=box,
        numbers=footage.numbers,
        times=footage.times,
        pieces=pieces,
        skipped=skipped,
    )


def _skipped(pose: Pose, useless: dict[int, str]) -> dict[int, str]:
    """Say of which frames the poses are not used, and why; ``useless`` says it of pictures."""
    reasons: dict[int, str] = {}
    for n, seen in enumerate(joints_inside(pose).tolist()):
        if useless.get(n) == NOT_DECODED:
            reasons[n] = NOT_DECODED
        elif not pose.found[n].any():
            reasons[n] = "no person found"
        elif seen < FEWEST:
            reasons[n] = f"{seen} joints in the frame, fewer than {FEWEST}"
        elif n in useless:
            reasons[n] = useless[n]
    return reasons


def _usable(pose: Pose, skipped: dict[int, str]) -> Pose:
    """Mark the points of skipped frames as not found, so that training passes over them."""
    found = pose.found.copy()
    found[list(skipped)] = False
    points = np.where(found[..., None], pose.points, np.float32(0.0))
    return Pose(pose.layout, points, found, np.where(found, pose.score, np.float32(0.0)))


def _held_out(good: np.ndarray[Any, np.dtype[np.bool_]], split: int) -> list[Piece]:
    """Cut the frames after ``split`` into clips: runs with a usable pose in each frame, of 2 at least.

    Raises ``UnusableError`` when there is none.
    """
    length = max(SHORTEST, -(-int(good[split:].sum()) // PIECES))
    edges = np.flatnonzero(np.diff(np.concatenate([[0], good[split:].astype(int), [0]]))) + split
    pieces: list[Piece] = []
    for start, stop in edges.reshape(-1, 2).tolist():
        for places in np.array_split(np.arange(start, stop), max(1, round((stop - start) / length))):
            if len(places) > 1:
                pieces.append(Piece(f"test/frames_{len(pieces)}.mp4", int(places[0]), len(places)))
    if not pieces:
        raise UnusableError(
            f"in the last {len(good) - split} frames, which are held out, are no two with a usable pose in a"
            " row; choose another range of the video, or a larger --test-share"
        )
    return pieces


def _write_clips(made: PoseSet, cut: Cut, pose: Pose, folder: Path) -> None:
    """Write each piece with its poses beside it."""
    backend = str(made.recipe["version"]).split(" ", 1)
    for piece in made.pieces:
        target = folder / piece.path
        target.parent.mkdir(exist_ok=True)
        first, last = piece.first // CHUNK, (piece.first + piece.count - 1) // CHUNK
        ranges = [
            (max(0, piece.first - n * CHUNK), min(CHUNK, piece.first + piece.count - n * CHUNK))
            for n in range(first, last + 1)
        ]
        join(cut.parts[first : last + 1], ranges, target)
        key = Key("pose", backend[0], backend[1], digest([target]))
        where = slice(piece.first, piece.first + piece.count)
        with write_sidecar(place(key, target, None)) as sidecar:
            for name in ("points", "found", "score"):
                sidecar.add(name, getattr(pose, name)[where])
            seen = int(pose.found[where].any(axis=1).sum())
            sidecar.finish(Header(key, piece.count, made.size, seen, pose.layout))


def _sheet(made: PoseSet, folder: Path) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Draw some frames of each clip with their poses."""
    clips = {clip.path: clip for clip in find_clips(folder).clips}
    pairs = []
    for piece in made.pieces:
        path = folder / piece.path
        sidecar = sidecars_of("pose", path)[0]
        header = Header(Key("pose", "", "", ""), piece.count, made.size, _seen(made, piece))
        pairs.append((clips[path], Annotated(sidecar, header, done_before=False)))
    return annotation_sheet(pairs, POSE.draw)


def _seen(made: PoseSet, piece: Piece) -> int:
    return piece.count - sum(piece.first <= n < piece.first + piece.count for n in made.skipped)
