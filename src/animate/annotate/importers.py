"""Poses and mattes that other programs have made.

Poses come in pixels, the first pixel's centre at 0, of pictures of a given size; of several persons in a
frame the main one is taken (``figures.main_figures``). A score of 0, or NaN, is a point that was not found.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from animate import safe_json
from animate.annotate.figures import Figure, main_pose, to_unit
from animate.data.frame_files import natural_key
from animate.errors import UserError
from animate.layouts import BODY25, BODY25_FACE_HANDS, COCO17, COCO18, COCO18_FACE_HANDS, MEDIAPIPE33
from animate.npz import DAMAGE, open_arrays, read_array
from animate.video.decode import stream
from animate.video.image import resize

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from animate.annotate.figures import Size
    from animate.annotate.protocols import Pose

OPENPOSE_LAYOUTS = {
    3 * len(layout.points): layout for layout in (BODY25, COCO18, BODY25_FACE_HANDS, COCO18_FACE_HANDS)
}
"""By how many numbers a person has: x, y and the confidence of each point."""
_DETAILS = {"face_keypoints_2d": 210, "hand_left_keypoints_2d": 63, "hand_right_keypoints_2d": 63}
"""The lists that may stand beside the body's, in the order of our layouts, with their lengths."""
_MOST_FRAMES = 2_000_000
_LAST_NUMBER = re.compile(r"\d+(?=\D*$)")


def read_openpose(path: Path, size: Size) -> Pose:
    """Read OpenPose's JSON, BODY_25 or COCO-18; the number of points tells which.

    Where a person has points of the face or the hands too, all are read, in a layout with face and hands.

    Args:
        path: a folder with a file for each frame (``*_keypoints.json``, in natural order), or one file for a
            clip: a list of frames, or an object with the list ``frames``; each frame has a list ``people``
            and may have its number in ``frame``.
        size: (height, width) of the frames.

    Raises:
        UserError: there is no such file, or it holds something else, or persons of both layouts.

    """
    frames = _alike([_people(frame, path) for frame in _openpose_frames(path)])
    counts = {len(person) for frame in frames for person in frame}
    if not counts:
        raise UserError(f"{path}: no frame has a person in it; nothing to import")
    if len(counts) > 1 or not counts <= set(OPENPOSE_LAYOUTS):
        raise UserError(
            f"{path}: persons of {_listed(counts)} numbers; BODY_25 has 75 in each of them and COCO-18 54,"
            f" and {sum(_DETAILS.values())} more with face and hands"
        )
    layout = OPENPOSE_LAYOUTS[counts.pop()]
    return main_pose(layout, [[to_figure(p.reshape(-1, 3), size) for p in frame] for frame in frames])


def read_coco17(path: Path, size: Size, *, first: int = 0) -> Pose:
    """Read COCO's 17 keypoints.

    Args:
        path: ``.json``: a list of results with ``image_id`` and ``keypoints``, the last number in the id
            being that of the frame; or annotations, their ``images`` in the natural order of ``file_name``
            being the frames. ``.npz`` or ``.npy``: an array (N, 17, 2) or (N, 17, 3) of x, y and score, by
            itself or named ``keypoints``.
        size: (height, width) of the frames.
        first: number of the first frame in a list of results.

    Raises:
        UserError: there is no such file, or it holds something else.

    """
    if path.suffix.lower() != ".json":
        values = _array(path, ("keypoints", "coco17"), len(COCO17.points), (2, 3))
        return main_pose(COCO17, [[to_figure(frame, size)] for frame in values])
    frames: list[list[Figure]] = []
    for number, entry in _coco_entries(path, first):
        _check_number(number, path)
        frames += [[] for _ in range(number + 1 - len(frames))]
        if entry is not None:
            values = _numbers(entry.get("keypoints"), path, number)
            if len(values) != 3 * len(COCO17.points):
                raise UserError(f"{path}: frame {number}: {len(values)} numbers in keypoints; COCO has 51")
            frames[number].append(to_figure(values.reshape(-1, 3), size))
    if not frames:
        raise UserError(f"{path}: it is an empty list; nothing to import")
    return main_pose(COCO17, frames)


def read_mediapipe33(path: Path, size: Size, *, units: Literal["shares", "pixels"] = "shares") -> Pose:
    """Read arrays of MediaPipe's 33 joints.

    Args:
        path: ``.npz`` or ``.npy``: an array (N, 33, 4) or (N, 33, 5) of x, y, z, visibility (and
            presence), by itself or named ``landmarks`` or ``mediapipe33``.
        size: (height, width) of the frames.
        units: of x and y: shares of the picture from its upper left edge, as MediaPipe gives them, or pixels.

    Raises:
        UserError: there is no such file, or it holds something else.

    """
    values = _array(path, ("landmarks", "mediapipe33"), len(MEDIAPIPE33.points), (4, 5))
    places = values[..., :2]
    if units == "shares":
        places = places * [size[1], size[0]] - 0.5
    joints = np.concatenate([places, values[..., 3:4]], axis=-1)
    return main_pose(MEDIAPIPE33, [[to_figure(frame, size)] for frame in joints])


def read_mattes(path: Path, size: Size, frames: int) -> Iterator[NDArray[np.float32]]:
    """Read a matte video, or a folder of matte pictures, frame for frame, at constant memory.

    The colour tags of the file are followed, so that black is 0 and white 1 whatever the luma's range is.

    Args:
        path: the video or folder.
        size: (height, width) of the clip that the mattes belong to; others are resized.
        frames: how many frames that clip has.

    Yields:
        (H, W) in [0, 1], 1 on the figure.

    Raises:
        UserError: it cannot be read, or has another number of frames than the clip.

    """
    count = 0
    for frame in stream(path):
        count += 1
        if count > frames:
            raise UserError(f"{path} has more frames than its clip, which has {frames}; they must correspond")
        yield np.asarray(resize(frame.image, size).mean(axis=2, dtype=np.float32) / np.float32(255.0))
    if count < frames:
        raise UserError(f"{path} has {count} frames and its clip has {frames}; they must correspond")


def _openpose_frames(path: Path) -> list[Any]:
    if path.is_dir():
        files = sorted(path.glob("*.json"), key=lambda file: natural_key(file.name))
        if not files:
            raise UserError(f"{path}: no JSON files in this folder; OpenPose writes one for each frame")
        return [_json(file) for file in files]
    content = _json(path)
    entries = content.get("frames", [content]) if isinstance(content, dict) else content
    if not isinstance(entries, list):
        raise UserError(f"{path}: no list of frames in it")
    frames: list[Any] = []
    for place, entry in enumerate(entries):
        number = entry.get("frame", place) if isinstance(entry, dict) else place
        if not isinstance(number, int) or number < len(frames):
            raise UserError(f"{path}: frame {number!r} comes after frame {len(frames) - 1}")
        _check_number(number, path)
        frames += [{"people": []} for _ in range(number - len(frames))]
        frames.append(entry)
    return frames


def _check_number(number: int, path: Path) -> None:
    """Look at the number of a frame before there is room for all that come before it."""
    if number >= _MOST_FRAMES:
        raise UserError(
            f"{path}: frame {number}; up to {_MOST_FRAMES} frames are read, 11 hours at 50 a second"
        )


def _people(frame: Any, path: Path) -> list[NDArray[np.float64]]:
    people = frame.get("people") if isinstance(frame, dict) else None
    if not isinstance(people, list) or not all(isinstance(person, dict) for person in people):
        raise UserError(f"{path}: a frame without the list 'people'; this is not OpenPose's JSON")
    return [_person(person, path, n) for n, person in enumerate(people)]


def _person(person: dict[str, Any], path: Path, number: int) -> NDArray[np.float64]:
    """Join the lists of a person: the body's, and the face's and hands' if one of them is there."""
    # Versions before 1.2 write "pose_keypoints".
    body = _numbers(person.get("pose_keypoints_2d", person.get("pose_keypoints")), path, number)
    details = [_numbers(person.get(name) or [], path, number) for name in _DETAILS]
    for values, (name, length) in zip(details, _DETAILS.items(), strict=True):
        if len(values) not in (0, length):
            raise UserError(f"{path}: entry {number}: {len(values)} numbers in {name}; OpenPose has {length}")
    if not any(map(len, details)):
        return body
    lengths = _DETAILS.values()
    filled = [v if len(v) else np.zeros(length) for v, length in zip(details, lengths, strict=True)]
    return np.concatenate([body, *filled])


def _alike(frames: list[list[NDArray[np.float64]]]) -> list[list[NDArray[np.float64]]]:
    """Where one person has details, give all of them room for these."""
    more = sum(_DETAILS.values())
    counts = {len(person) for frame in frames for person in frame}
    short = {count for count in counts if count + more in counts}
    return [[np.pad(p, (0, more if len(p) in short else 0)) for p in frame] for frame in frames]


def _coco_entries(path: Path, first: int) -> list[tuple[int, dict[str, Any] | None]]:
    """List the persons with the number of their frame; None for a frame that is merely known to exist."""
    content = _json(path)
    try:
        if isinstance(content, list):
            numbered = [(_frame_number(entry["image_id"]) - first, entry) for entry in content]
            if any(number < 0 for number, _ in numbered):
                raise UserError(f"{path}: frames are counted from below {first}; give the first one's number")
            return sorted(numbered, key=lambda item: item[0])
        images = sorted(content["images"], key=lambda image: natural_key(str(image["file_name"])))
        places = {image["id"]: n for n, image in enumerate(images)}
        known: list[tuple[int, dict[str, Any] | None]] = [(n, None) for n in range(len(images))]
        return known + [(places[entry["image_id"]], entry) for entry in content["annotations"]]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"{path}: this is neither a list of COCO results nor COCO annotations ({error!r})"
        ) from error


def _frame_number(image: int | str) -> int:
    found = _LAST_NUMBER.search(str(image))
    if found is None:
        raise ValueError(f"no number in the image id {image!r}")
    return int(found.group())


def to_figure(values: NDArray[np.floating], size: Size) -> Figure:
    """Make a figure of (J, 2) or (J, 3): x and y in pixels, and score; NaN and score 0 mean not found."""
    score = values[:, 2] if values.shape[1] > 2 else np.ones(len(values))
    seen = np.isfinite(values).all(axis=1) & (score > 0.0)
    return Figure(to_unit(np.where(seen[:, None], values[:, :2], 0.0), size), np.where(seen, score, 0.0))


def _numbers(values: Any, path: Path, where: int) -> NDArray[np.float64]:
    try:
        numbers = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        numbers = np.zeros(())
    if numbers.ndim != 1:
        raise UserError(f"{path}: entry {where} has no list of numbers for its keypoints")
    return numbers


def load_arrays(path: Path) -> dict[str, NDArray[np.float64]]:
    """Read the arrays of numbers in a NumPy file by name, ``""`` for that of an ``.npy``.

    Raises:
        UserError: it cannot be read, or holds no numbers.

    """
    try:
        content = open_arrays(path)
        if isinstance(content, np.lib.npyio.NpzFile):
            with content:
                arrays = {name: read_array(content, name) for name in content.files}
        else:
            arrays = {"": np.asarray(content)}
    except DAMAGE as error:
        raise UserError(f"{path} is not a NumPy file that can be read: {error}") from error
    numbers = {name: a.astype(np.float64) for name, a in arrays.items() if a.dtype.kind in "fiu"}
    if not numbers:
        raise UserError(f"{path} is not a NumPy file that can be read: it holds no numbers")
    return numbers


def _array(path: Path, names: Sequence[str], joints: int, columns: Sequence[int]) -> NDArray[np.float64]:
    """Read the array (N, J, C) of a NumPy file, C being one of ``columns``."""
    arrays = load_arrays(path)
    values = next((arrays[name] for name in names if name in arrays), next(iter(arrays.values())))
    if values.ndim != 3 or values.shape[1] != joints or values.shape[2] not in columns:
        wanted = " or ".join(f"(N, {joints}, {c})" for c in columns)
        raise UserError(f"{path}: an array of shape {values.shape}; {wanted} is needed")
    return values


def _json(path: Path) -> Any:
    try:
        return safe_json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise UserError(f"{path} is not JSON: {error}") from error


def _listed(numbers: set[int]) -> str:
    return " and ".join(str(number) for number in sorted(numbers))
