"""Faces, 68 landmarks and a 512-number identity of InsightFace (Deng et al., ArcFace, 2019; SCRFD, 2021).

The library is MIT; its weights are for non-commercial research only.
"""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from animate.annotate.figures import Figure, main_figures, make_pose, surest_first, to_unit, unit_box
from animate.annotate.libraries import digest, library, pretrained_weights
from animate.annotate.protocols import Identity
from animate.checkpoints.weights import cache_folder
from animate.errors import UserError
from animate.layouts import FACE68

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from animate.annotate.protocols import Box, Frames, Pose

EXTRA = "insightface"
PACK = "buffalo_l"
SIDE = 640
DETECTION, LANDMARKS, RECOGNITION = "detection", "landmark_3d_68", "recognition"


class _InsightFace:
    """The library with those of its networks that are needed.

    Args:
        modules: names of networks besides the detector.
        side: faces are looked for in pictures of this many pixels a side.

    Raises:
        UserError: the extra is not installed, or the weights cannot be had.

    """

    name = "insightface"

    def __init__(self, modules: Sequence[str], side: int) -> None:
        module = library("insightface", EXTRA)
        analysis = library("insightface.app", EXTRA).FaceAnalysis
        archive = pretrained_weights("insightface")
        self._analysis = analysis(
            name=PACK, root=str(unpacked(archive)), allowed_modules=[DETECTION, *modules], **_providers()
        )
        self._analysis.prepare(ctx_id=0, det_size=(side, side))
        self.version = f"{module.__version__} {PACK}-{side} {digest(archive)}"

    def _find(self, frame: NDArray[np.uint8]) -> list[Any]:
        """Find the faces of a frame, in the library's own records."""
        return list(self._analysis.get(np.ascontiguousarray(frame[..., ::-1])))  # it wants BGR

    def _main(self, frames: Frames) -> list[Any]:
        """Return the main face of each frame; None where there is none."""
        found = [self._find(frame) for frame in frames]
        main = main_figures([[_box(face, frames.shape[1:3]) for face in faces] for faces in found])
        return [None if i is None else faces[i] for faces, i in zip(found, main, strict=True)]


class InsightFaces(_InsightFace):
    """Finds faces; errors as in ``_InsightFace``."""

    def __init__(self, side: int = SIDE) -> None:
        super().__init__((), side)

    def __call__(self, frames: Frames) -> list[list[Box]]:
        """See ``BoxFinder``."""
        size = frames.shape[1:3]
        return [surest_first([_box(face, size) for face in self._find(frame)]) for frame in frames]


class InsightLandmarks(_InsightFace):
    """Finds the 68 landmarks of the main face, its turned-away side too; errors as in ``_InsightFace``."""

    layout = FACE68.name

    def __init__(self, side: int = SIDE) -> None:
        super().__init__((LANDMARKS,), side)

    def __call__(self, frames: Frames) -> Pose:
        """See ``PointFinder``."""
        size = frames.shape[1:3]
        return make_pose(FACE68, [face and _landmarks(face, size) for face in self._main(frames)])


class InsightIdentity(_InsightFace):
    """Embeds the main face in 512 numbers of length 1; errors as in ``_InsightFace``."""

    threshold = 1.2
    """A cosine of 0.28, from which the library's makers call two faces the same person's."""

    def __init__(self, side: int = SIDE) -> None:
        super().__init__((RECOGNITION,), side)

    def __call__(self, frames: Frames) -> Identity:
        """See ``Recogniser``."""
        embedding = np.zeros((len(frames), 512), np.float32)
        found = np.zeros(len(frames), np.bool_)
        for n, face in enumerate(self._main(frames)):
            if face is not None:
                embedding[n], found[n] = face.normed_embedding, True
        return Identity(embedding, found)


def unpacked(archive: Path) -> Path:
    """Unpack the networks beside the cache of weights, once; return the folder the library calls its root.

    Raises:
        UserError: the archive cannot be read, or the folder not written.

    """
    root = cache_folder() / "insightface"
    target = root / "models" / PACK
    if target.is_dir():
        return root
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".") as folder:
            whole = Path(folder) / PACK
            whole.mkdir()
            _unpack(archive, whole)
            with suppress(OSError):  # another process was faster
                whole.rename(target)
    except (OSError, zipfile.BadZipFile) as error:
        raise UserError(f"{archive} cannot be unpacked into {target}: {error}") from error
    return root


def _unpack(archive: Path, folder: Path) -> None:
    with zipfile.ZipFile(archive) as packed:
        for entry in packed.infolist():
            if entry.filename.endswith(".onnx"):
                # Only the last part of the name counts, so that nothing is written elsewhere.
                place = folder / Path(entry.filename).name
                with packed.open(entry) as start, place.open("wb") as out:
                    shutil.copyfileobj(start, out)


def _providers() -> dict[str, list[str]]:
    """Choose the devices of onnxruntime that there are, the processor last."""
    return {"providers": library("onnxruntime", EXTRA).get_available_providers()}


def _box(face: Any, size: tuple[int, ...]) -> Box:
    return unit_box(np.asarray(face.bbox), float(face.det_score), (size[0], size[1]))


def _landmarks(face: Any, size: tuple[int, ...]) -> Figure:
    points = to_unit(np.asarray(face.landmark_3d_68)[:, :2], (size[0], size[1]))
    return Figure(points, np.full(len(points), float(face.det_score)))
