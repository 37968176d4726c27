"""Faces and five landmarks by YuNet (Wu et al., 2023) through OpenCV: small, fast, and free for any use."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import cv2
import numpy as np

from animate.annotate.figures import Figure, main_figures, make_pose, surest_first, to_unit, unit_box
from animate.annotate.libraries import digest, pretrained_weights
from animate.layouts import FACE5
from animate.video.image import resize

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from animate.annotate.protocols import Box, Frames, Pose

SIDE = 640
"""Longer side of the pictures that the network sees; it knows faces of 10 to 300 pixels."""
SURE = 0.7
"""Score from which something is a face."""
_OVERLAP = 0.3
"""Intersection over union from which two faces are one."""
_MOST = 100


class _YuNet:
    """The network, and its answers in the project's coordinates.

    Args:
        side: larger pictures are reduced to this longer side.
        sure: score from which something is a face.

    Raises:
        UserError: the weights cannot be had.

    """

    name = "yunet"

    def __init__(self, side: int = SIDE, sure: float = SURE) -> None:
        path = pretrained_weights("yunet")
        self._side = side
        self._network = cv2.FaceDetectorYN.create(str(path), "", (side, side), sure, _OVERLAP, _MOST)
        self.version = f"opencv-{cv2.__version__} {side}-{sure} {digest(path)}"

    def _find(self, frame: NDArray[np.uint8]) -> list[tuple[Box, Figure]]:
        """Find the faces of a frame, the surest first."""
        height, width = frame.shape[:2]
        scale = min(self._side / max(height, width), 1.0)
        size = (max(round(height * scale), 1), max(round(width * scale), 1))
        picture = np.ascontiguousarray(resize(frame, size)[..., ::-1])  # OpenCV's networks see BGR
        self._network.setInputSize(size[::-1])
        # OpenCV's stub does not tell that it may be None.
        rows = cast("NDArray[np.float32] | None", self._network.detect(picture)[1])
        return [self._face(row, size) for row in rows] if rows is not None else []

    @staticmethod
    def _face(row: NDArray[np.float32], size: tuple[int, int]) -> tuple[Box, Figure]:
        """Read x, y, width, height, five points (right eye first) and the score."""
        left, top, width, height = row[:4].tolist()
        box = unit_box((left, top, left + width, top + height), float(row[14]), size)
        points = to_unit(row[4:14].reshape(5, 2), size)
        return box, Figure(points, np.full(5, box.score))


class YuNetFaces(_YuNet):
    """Finds faces; arguments and errors as in ``_YuNet``."""

    def __call__(self, frames: Frames) -> list[list[Box]]:
        """See ``BoxFinder``."""
        return [surest_first([box for box, _ in self._find(frame)]) for frame in frames]


class YuNetLandmarks(_YuNet):
    """Finds eyes, nose and corners of the mouth of the main face; arguments and errors as in ``_YuNet``."""

    layout = FACE5.name

    def __call__(self, frames: Frames) -> Pose:
        """See ``PointFinder``."""
        found = [self._find(frame) for frame in frames]
        main = main_figures([[box for box, _ in faces] for faces in found])
        return make_pose(FACE5, [None if i is None else f[i][1] for f, i in zip(found, main, strict=True)])
