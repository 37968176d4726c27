"""Face landmarks, body joints and mattes of MediaPipe (Kartynnik et al., 2019; Bazarevsky et al., 2020)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from animate.annotate.figures import Figure, main_pose, to_unit
from animate.annotate.libraries import digest, library, pretrained_weights
from animate.layouts import FACE68, MEDIAPIPE33

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from animate.annotate.protocols import Frames, Pose

EXTRA = "mediapipe"
MOST_FIGURES = 4
SURE = 0.5
"""Visibility from which a joint counts as found."""

MESH_TO_FACE68: tuple[int, ...] = (
    *(162, 234, 93, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 323, 454, 389),
    *(71, 63, 105, 66, 107, 336, 296, 334, 293, 301),
    *(168, 197, 5, 4, 75, 97, 2, 326, 305),
    *(33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380),
    *(61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181),
    *(78, 82, 13, 312, 308, 317, 14, 87),
)
"""For each of the 68 landmarks the vertex of the face mesh that is nearest to it; the jaw follows the mesh's
outline, which is not quite where annotators of the 68 points draw it."""


class _Task:
    """One of MediaPipe's tasks.

    Args:
        task: its name in ``mediapipe.tasks.vision``; its options have that name and ``Options``.
        weights: its weights in the table.
        options: options of the task.

    Raises:
        UserError: the extra is not installed, or the weights cannot be had.

    """

    name = "mediapipe"

    def __init__(self, task: str, weights: str, **options: Any) -> None:
        self._mediapipe = library("mediapipe", EXTRA)
        path = pretrained_weights(weights)
        tasks = self._mediapipe.tasks
        base = tasks.BaseOptions(model_asset_path=str(path))
        chosen = getattr(tasks.vision, f"{task}Options")(base_options=base, **options)
        self._task = getattr(tasks.vision, task).create_from_options(chosen)
        self.version = f"{self._mediapipe.__version__} {digest(path)}"

    def _image(self, frame: NDArray[np.uint8]) -> Any:
        kind = self._mediapipe.ImageFormat.SRGB
        return self._mediapipe.Image(image_format=kind, data=np.ascontiguousarray(frame))


class MediaPipeLandmarks(_Task):
    """Finds the 68 landmarks of the main face, out of the 468 vertices of a mesh; errors as in ``_Task``."""

    layout = FACE68.name

    def __init__(self) -> None:
        super().__init__("FaceLandmarker", "mediapipe_face", num_faces=MOST_FIGURES)

    def __call__(self, frames: Frames) -> Pose:
        """See ``PointFinder``."""
        return main_pose(FACE68, [self._faces(frame) for frame in frames])

    def _faces(self, frame: NDArray[np.uint8]) -> list[Figure]:
        meshes = self._task.detect(self._image(frame)).face_landmarks
        points = [_points(mesh, frame.shape)[list(MESH_TO_FACE68)] for mesh in meshes]
        return [Figure(face, np.ones(len(face))) for face in points]


class MediaPipePose(_Task):
    """Finds the 33 joints of the main person; errors as in ``_Task``."""

    layout = MEDIAPIPE33.name

    def __init__(self) -> None:
        super().__init__("PoseLandmarker", "mediapipe_pose", num_poses=MOST_FIGURES)

    def __call__(self, frames: Frames) -> Pose:
        """See ``PointFinder``. A joint's score is its visibility."""
        return main_pose(MEDIAPIPE33, [self._persons(frame) for frame in frames])

    def _persons(self, frame: NDArray[np.uint8]) -> list[Figure]:
        persons = self._task.detect(self._image(frame)).pose_landmarks
        return [Figure(_points(joints, frame.shape), _visible(joints)) for joints in persons]


class MediaPipeMattes(_Task):
    """Cuts persons out, softly and coarsely: the network sees 256 x 256 pixels; errors as in ``_Task``."""

    def __init__(self) -> None:
        super().__init__("ImageSegmenter", "mediapipe_selfie", output_confidence_masks=True)

    def __call__(self, frames: Frames) -> NDArray[np.float32]:
        """See ``Matter``."""
        return np.stack([self._matte(frame) for frame in frames])

    def _matte(self, frame: NDArray[np.uint8]) -> NDArray[np.float32]:
        # The last mask is the person's, whether the background has one of its own or not.
        mask = self._task.segment(self._image(frame)).confidence_masks[-1].numpy_view()
        height, width = frame.shape[:2]
        return np.asarray(mask, dtype=np.float32).reshape(height, width).clip(0.0, 1.0)


def _points(landmarks: Sequence[Any], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Take landmarks, in shares of the picture from its edge, to [-1, 1]."""
    height, width = shape[:2]
    shares = np.array([(point.x, point.y) for point in landmarks], dtype=np.float64)
    return to_unit(shares * [width, height] - 0.5, (height, width))


def _visible(landmarks: Sequence[Any]) -> NDArray[np.float64]:
    visibility = np.array([point.visibility or 0.0 for point in landmarks])
    return np.where(visibility >= SURE, visibility, 0.0)
