"""Faces, the 68 landmarks and the 128-number identity of dlib (King, 2009; models by the same author).

Detectors: ``hog``, the sliding window over oriented gradients for frontal faces (Dalal and Triggs, 2005, as a
max-margin detector), fast; ``mmod``, the convolutional one (King, 2015), slow without a GPU, which also finds
turned and partly covered faces. Landmarks: an ensemble of regression trees (Kazemi and Sullivan, 2014).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from animate.annotate.figures import (
    Figure,
    main_boxes,
    make_pose,
    surest_first,
    to_pixels,
    to_unit,
    unit_box,
)
from animate.annotate.libraries import digest, library, packaged_weights
from animate.annotate.protocols import Identity
from animate.layouts import FACE68
from animate.video.image import resize

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from animate.annotate.protocols import Box, Frames, Pose

    Image = NDArray[np.uint8]

EXTRA = "dlib"
SIDE = 512
"""Pictures are brought to this many pixels on the longer side to look for faces. The detectors find faces
from 80 px on: a sixth of that side."""
Detector = Literal["hog", "mmod"]


class DlibFaces:
    """Finds faces.

    Args:
        detector: ``hog`` or ``mmod``.
        side: length of the longer side at which faces are looked for; more finds smaller faces and costs
            its square.

    Raises:
        UserError: the extra is not installed.

    """

    def __init__(self, detector: Detector = "hog", side: int = SIDE) -> None:
        self._dlib = library("dlib", EXTRA)
        self._side = side
        self.name = "dlib" if detector == "hog" else f"dlib-{detector}"
        self.version = f"{self._dlib.__version__} {detector}-{side}"
        self._detect: Callable[[Image], list[tuple[Any, float]]] = self._hog()
        if detector == "mmod":
            path = packaged_weights("dlib_mmod")
            self.version += f"-{digest(path)}"
            self._detect = self._mmod(self._dlib.cnn_face_detection_model_v1(str(path)))

    def __call__(self, frames: Frames) -> list[list[Box]]:
        """See ``BoxFinder``. The score is the detector's margin through a logistic curve, from 0.5 up."""
        return [self._boxes(frame) for frame in frames]

    def _boxes(self, frame: Image) -> list[Box]:
        scale = self._side / max(frame.shape[:2])
        picture = _scaled(frame, scale)
        boxes = []
        for rect, margin in self._detect(picture):
            corners = np.array([rect.left(), rect.top(), rect.right(), rect.bottom()], dtype=np.float64)
            score = 1.0 / (1.0 + np.exp(-margin))
            boxes.append(unit_box(_rescaled(corners, picture, frame), score, _size(frame)))
        return surest_first(boxes)

    def _hog(self) -> Callable[[Image], list[tuple[Any, float]]]:
        network = self._dlib.get_frontal_face_detector()

        def detect(picture: Image) -> list[tuple[Any, float]]:
            rects, margins, _ = network.run(picture, 0, 0.0)
            return list(zip(rects, margins, strict=True))

        return detect

    @staticmethod
    def _mmod(network: Any) -> Callable[[Image], list[tuple[Any, float]]]:
        return lambda picture: [(face.rect, face.confidence) for face in network(picture, 0)]


class DlibLandmarks:
    """Finds the 68 landmarks of the main face.

    All 68 are always given for a face that is found, also those that are covered; their score is the face's.
    The library answers in whole pixels, so small pictures are enlarged first.

    Args:
        detector: what finds the face.
        side: see :class:`DlibFaces`.

    Raises:
        UserError: the extra is not installed.

    """

    layout = FACE68.name

    def __init__(self, detector: Detector = "hog", side: int = SIDE) -> None:
        self._faces = _MainFace("dlib_68_points", detector, side)
        self.name, self.version = self._faces.name, self._faces.version

    def __call__(self, frames: Frames) -> Pose:
        """See ``PointFinder``."""
        figures: list[Figure | None] = []
        for frame, found in zip(frames, self._faces(frames), strict=True):
            if found is None:
                figures.append(None)
                continue
            picture, shape, score = found
            pixels = np.array([(part.x, part.y) for part in shape.parts()], dtype=np.float64)
            points = to_unit(_rescaled(pixels, picture, frame), _size(frame))
            figures.append(Figure(points, np.full(len(points), score)))
        return make_pose(FACE68, figures)


class DlibIdentity:
    """Embeds the main face in 128 numbers; those of one person are less than 0.6 apart.

    The face is turned upright by five landmarks of a model of its own, whose data excludes no use.

    Args:
        detector: what finds the face.
        side: see :class:`DlibFaces`.

    Raises:
        UserError: the extra is not installed.

    """

    threshold = 0.6

    def __init__(self, detector: Detector = "hog", side: int = SIDE) -> None:
        self._faces = _MainFace("dlib_5_points", detector, side)
        path = packaged_weights("dlib_embedding")
        self._dlib = library("dlib", EXTRA)
        self._embed = self._dlib.face_recognition_model_v1(str(path))
        self.name, self.version = self._faces.name, f"{self._faces.version} {digest(path)}"

    def __call__(self, frames: Frames) -> Identity:
        """See ``Recogniser``."""
        found = self._faces(frames)
        # 150 px with a quarter around the face is what the network was trained on.
        chips = [self._dlib.get_face_chip(f[0], f[1], size=150, padding=0.25) for f in found if f]
        embedding = np.zeros((len(frames), 128), np.float32)
        seen = np.array([face is not None for face in found], dtype=np.bool_)
        if chips:
            embedding[seen] = np.array(self._embed.compute_face_descriptor(chips), dtype=np.float32)
        return Identity(embedding, seen)


class _MainFace:
    """The main face of each frame, with landmarks of one of dlib's shape predictors."""

    def __init__(self, predictor: str, detector: Detector, side: int) -> None:
        self._dlib = library("dlib", EXTRA)
        self._faces = DlibFaces(detector, side)
        self._side = side
        path = packaged_weights(predictor)
        self._predict = self._dlib.shape_predictor(str(path))
        self.name, self.version = self._faces.name, f"{self._faces.version} {digest(path)}"

    def __call__(self, frames: Frames) -> list[tuple[Image, Any, float] | None]:
        """Return the picture that was looked at, the shape in its pixels, and the score of the face."""
        found: list[tuple[Image, Any, float] | None] = []
        for frame, box in zip(frames, main_boxes(self._faces(frames)), strict=True):
            if box is None:
                found.append(None)
                continue
            picture = _scaled(frame, max(self._side / max(frame.shape[:2]), 1.0))
            corners = to_pixels(np.array(box[:4]).reshape(2, 2), _size(frame)).ravel().astype(np.float64)
            rect = self._dlib.rectangle(*(round(float(x)) for x in _rescaled(corners, frame, picture)))
            found.append((picture, self._predict(picture, rect), box.score))
        return found


def _size(picture: Image) -> tuple[int, int]:
    return picture.shape[0], picture.shape[1]


def _scaled(frame: Image, scale: float) -> Image:
    height, width = (max(round(side * scale), 1) for side in frame.shape[:2])
    return np.ascontiguousarray(resize(frame, (height, width)))


def _rescaled(pixels: NDArray[np.float64], start: Image, to: Image) -> NDArray[np.float64]:
    """Take pixel coordinates, x and y in turn in the last axis, from a picture to its resized copy."""
    ratio = np.array([to.shape[1] / start.shape[1], to.shape[0] / start.shape[0]])
    pairs = pixels.reshape(-1, 2)
    return np.asarray(((pairs + 0.5) * ratio - 0.5).reshape(pixels.shape))
