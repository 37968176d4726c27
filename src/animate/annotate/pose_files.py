"""Poses in a file of whatever kind: which importer it is for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from animate import safe_json
from animate.annotate.figures import main_pose, to_pixels
from animate.annotate.importers import load_arrays, read_coco17, read_mediapipe33, read_openpose, to_figure
from animate.errors import UserError
from animate.layouts import BODY25, COCO17, COCO18, MEDIAPIPE33

if TYPE_CHECKING:
    from pathlib import Path

    from animate.annotate.figures import Size
    from animate.annotate.protocols import Pose

ARRAYS = {len(layout.points): layout for layout in (BODY25, COCO18, COCO17, MEDIAPIPE33)}
"""By the number of points; the first has precedence where a file holds several."""
_SHARE = 2.0
"""MediaPipe's places are shares of the picture if they are mostly below this, else pixels."""
_OUTSIDE, _TOO_MANY = 0.05, 0.2


def read_poses(path: Path, size: Size, frames: int, advice: str = "scale them to the clip's size") -> Pose:
    """Read the poses of a clip, made elsewhere.

    OpenPose's JSON (a folder, or one file; BODY_25 or COCO-18, with face and hands or without), COCO's
    keypoints as JSON, or NumPy arrays (N, J, 2 or more) of x, y (and confidence) for 25, 18, 17 or 33 points,
    the latter MediaPipe's x, y, z, visibility.

    Args:
        path: the file or folder.
        size: (height, width) of the pictures that the poses are of.
        frames: how many frames the clip has.
        advice: what to do about poses of larger pictures.

    Raises:
        UserError: it cannot be read, has another number of frames, or belongs to larger pictures.

    """
    pose = _read(path, size)
    if len(pose.points) != frames:
        raise UserError(
            f"{path} has poses of {len(pose.points)} frames and the video has {frames}; they must correspond"
        )
    _check_size(pose, size, path, advice)
    return pose


def _read(path: Path, size: Size) -> Pose:
    if not path.exists():
        raise UserError(f"{path}: no such file or folder; check the name")
    if path.suffix.lower() in (".npz", ".npy"):
        return _from_arrays(path, size)
    return read_coco17(path, size) if path.is_file() and _is_coco(path) else read_openpose(path, size)


def _is_coco(path: Path) -> bool:
    try:
        content: Any = safe_json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return False  # the importer says what is wrong
    if isinstance(content, list):
        return bool(content) and isinstance(content[0], dict) and "keypoints" in content[0]
    return isinstance(content, dict) and "annotations" in content


def _from_arrays(path: Path, size: Size) -> Pose:
    arrays = load_arrays(path)
    fitting = {values.shape[1]: values for values in arrays.values() if values.ndim == 3}
    for count, layout in ARRAYS.items():
        if count not in fitting or fitting[count].shape[2] < 2:
            continue
        values = fitting[count]
        if layout is MEDIAPIPE33:
            shares = np.nanpercentile(np.abs(values[..., :2]), 90) < _SHARE
            return read_mediapipe33(path, size, units="shares" if shares else "pixels")
        return main_pose(layout, [[to_figure(frame[:, :3], size)] for frame in values])
    shapes = ", ".join(f"{name} {values.shape}" for name, values in arrays.items()) or "nothing"
    raise UserError(f"{path}: no array (N, J, 2 or more) of 25, 18, 17 or 33 points in it, but {shapes}")


def _check_size(pose: Pose, size: Size, path: Path, advice: str) -> None:
    """Refuse poses of which many lie outside of the pictures: they were found in larger ones."""
    places = pose.points[pose.found]
    outside = (np.abs(places) > 1.0 + 2.0 * _OUTSIDE).any(axis=-1)
    if len(places) and outside.mean() > _TOO_MANY:
        width, height = np.ceil(to_pixels(places, size).max(axis=0) + 1).astype(int).tolist()
        larger = width > size[1] or height > size[0]
        whose = (
            f"of pictures of at least {width}x{height}: {advice}" if larger else "no pixels of this clip's"
        )
        raise UserError(
            f"{path}: {outside.mean():.0%} of its points lie outside of {size[1]}x{size[0]} pixels; they are"
            f" {whose}"
        )
