"""The back-ends by name: a closed table for each task.

The modules of the back-ends are light; what they need is imported, and weights are opened, when one is made.
Making one fails with one line where its extra is not installed or its weights cannot be had, so whoever
starts worker processes makes it once before; that also shows the licence of its weights, which workers do
not repeat.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from animate.annotate.dlib import DlibFaces, DlibIdentity, DlibLandmarks
from animate.annotate.insightface import InsightFaces, InsightIdentity, InsightLandmarks
from animate.annotate.keypoint_rcnn import KeypointRcnn
from animate.annotate.mask_rcnn import MaskRcnn
from animate.annotate.mediapipe import MediaPipeLandmarks, MediaPipeMattes, MediaPipePose
from animate.annotate.puppets import PuppetIdentity, PuppetJoints
from animate.annotate.u2net import PUBLISHED, SUFFIX, U2NetMattes, of_puppets
from animate.annotate.u2net import published as published_u2net
from animate.annotate.yunet import YuNetFaces, YuNetLandmarks
from animate.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from animate.annotate.protocols import BoxFinder, Matter, PointFinder, Recogniser

Made = TypeVar("Made")

PUPPETS: Mapping[str, Callable[..., PointFinder]] = {
    "puppet": PuppetJoints,
    "puppet_person": partial(PuppetJoints, kind="person"),
    "puppet_face": partial(PuppetJoints, kind="face"),
    "puppet_animal": partial(PuppetJoints, kind="animal"),
}
FACES: Mapping[str, Callable[..., BoxFinder]] = {
    "dlib": DlibFaces,
    "dlib-mmod": partial(DlibFaces, detector="mmod"),
    "insightface": InsightFaces,
    "yunet": YuNetFaces,
}
LANDMARKS: Mapping[str, Callable[..., PointFinder]] = {
    "dlib": DlibLandmarks,
    "dlib-mmod": partial(DlibLandmarks, detector="mmod"),
    "insightface": InsightLandmarks,
    "mediapipe": MediaPipeLandmarks,
    "yunet": YuNetLandmarks,
    **PUPPETS,
}
POSES: Mapping[str, Callable[..., PointFinder]] = {
    "keypoint_rcnn": KeypointRcnn,
    "mediapipe": MediaPipePose,
    **PUPPETS,
}
RECOGNISERS: Mapping[str, Callable[..., Recogniser]] = {
    "dlib": DlibIdentity,
    "dlib-mmod": partial(DlibIdentity, detector="mmod"),
    "insightface": InsightIdentity,
    "puppet": PuppetIdentity,
}
MATTES: Mapping[str, Callable[..., Matter]] = {
    "mask_rcnn": MaskRcnn,
    "mediapipe": MediaPipeMattes,
    "puppet": of_puppets,
    **{name: partial(published_u2net, name) for name in PUBLISHED},
}


def faces(name: str, **options: Any) -> BoxFinder:
    """Make the back-end of this name that finds faces; see ``_make``."""
    return _make("faces", FACES, name, options)


def landmarks(name: str, **options: Any) -> PointFinder:
    """Make the back-end of this name that finds the landmarks of a face, or the joints of a puppet."""
    return _make("landmarks", LANDMARKS, name, options)


def poses(name: str, **options: Any) -> PointFinder:
    """Make the back-end of this name that finds the joints of a body, or of a puppet."""
    return _make("pose", POSES, name, options)


def recogniser(name: str, **options: Any) -> Recogniser:
    """Make the back-end of this name that says who somebody is."""
    return _make("identity", RECOGNISERS, name, options)


def mattes(name: str, **options: Any) -> Matter:
    """Make the back-end of this name that cuts figures out; or of a checkpoint of U²-Net, ``FILE.ckpt``."""
    if name.endswith(SUFFIX):
        return U2NetMattes(Path(name), **options)
    return _make("mattes", MATTES, name, options)


def _make(task: str, table: Mapping[str, Callable[..., Made]], name: str, options: Mapping[str, Any]) -> Made:
    """Make a back-end.

    Raises:
        UserError: the table has no such name, the back-end's extra is not installed, or its weights cannot
            be had.

    """
    if name not in table:
        known = ", ".join(sorted(table)) or "none yet"
        raise UserError(f"{task}: there is no back-end {name!r}; known are: {known}")
    return table[name](**options)
