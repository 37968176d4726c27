"""Back-ends and networks by name, as metrics ask for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from animate.annotate import backends
from animate.checkpoints.feature_networks import inception_features, lpips_distance
from animate.metrics import Annotators, Networks

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from animate.annotate.protocols import PointFinder
    from animate.checkpoints.feature_networks import LpipsDistance, LpipsNet


def make_annotators(
    *,
    landmarks: str | None = None,
    pose: str | None = None,
    puppet: str | None = None,
    identity: str | None = None,
    mattes: str | None = None,
    faces: str | None = None,
) -> Annotators:
    """Make the named back-ends.

    Args:
        landmarks: finds the points of a face.
        pose: finds the joints of a body.
        puppet: finds the joints of a drawn puppet.
        identity: says who somebody is.
        mattes: cuts persons out, for metrics inside and outside of them.
        faces: finds boxes of faces, likewise.

    Raises:
        UserError: there is none of a name, its extra is not installed, or its weights cannot be had.

    """
    points: dict[str, PointFinder] = {}
    if landmarks is not None:
        points["landmarks"] = backends.landmarks(landmarks)
    if pose is not None:
        points["pose"] = backends.poses(pose)
    if puppet is not None:
        points["puppet"] = backends.poses(puppet)
    return Annotators(
        points=points,
        identity=None if identity is None else backends.recogniser(identity),
        person=None if mattes is None else backends.mattes(mattes),
        face=None if faces is None else backends.faces(faces),
    )


def make_networks(keypoints: Callable[[Tensor], Tensor] | None = None) -> Networks:
    """Name the networks that metrics may look through; they are made when one does.

    Args:
        keypoints: the detector of the model that is scored; None where there is no model.

    """
    return Networks(lpips=_lpips, features=inception_features, keypoints=keypoints)


def _lpips(net: str) -> LpipsDistance:
    return lpips_distance(cast("LpipsNet", net))
