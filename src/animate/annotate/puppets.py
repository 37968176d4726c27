"""The joints and the identity of drawn puppets, read from any picture by their markers and colours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from animate.annotate.protocols import Identity, Pose
from animate.data.synthetic.kinds import KINDS
from animate.data.synthetic.palette import GARMENTS, garment_digits
from animate.data.synthetic.readback import read_identity, read_joints

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from animate.annotate.protocols import Frames

VERSION = "1"


class PuppetJoints:
    """Finds the joints of a puppet.

    Args:
        kind: What the figure is; None: the kind is decided for each frame, and the points are those of all
            kinds, one after the other, as in ``PuppetIndex.joints``.

    """

    version = VERSION

    def __init__(self, kind: str | None = None) -> None:
        self._kinds = tuple(k for k in KINDS if kind in (None, k.name))
        self.layout = self.name = f"puppet_{kind}" if kind else "puppet"

    def __call__(self, frames: Frames) -> Pose:
        """See ``PointFinder``."""
        readings = [self._read(frame) for frame in frames]
        found = np.stack([found for _, found in readings])
        points = np.stack([points for points, _ in readings])
        return Pose(self.layout, points, found, found.astype(np.float32))

    def _read(self, frame: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        readings = [read_joints(frame, kind.name) for kind in self._kinds]
        best = int(np.argmax([found.sum() for _, found in readings]))
        keep = [found & (i == best) for i, (_, found) in enumerate(readings)]
        points = [np.where(k[:, None], p, 0.0) for k, (p, _) in zip(keep, readings, strict=True)]
        return np.concatenate(points).astype(np.float32), np.concatenate(keep)


class PuppetIdentity:
    """Reads who a puppet is from the colours of its garments."""

    name = "puppet"
    version = VERSION
    threshold = 0.5

    def __call__(self, frames: Frames) -> Identity:
        """See ``Recogniser``."""
        embedding = np.zeros((len(frames), len(KINDS) + 3 * len(GARMENTS)), np.float32)
        found = np.zeros(len(frames), np.bool_)
        for n, frame in enumerate(frames):
            readings = [read_joints(frame, kind.name) for kind in KINDS]
            best = int(np.argmax([seen.sum() for _, seen in readings]))
            identity = read_identity(frame, KINDS[best].name, *readings[best])
            if identity is None:
                continue
            digits = [len(KINDS) + len(GARMENTS) * i + d for i, d in enumerate(garment_digits(identity))]
            embedding[n, [best, *digits]] = 0.5
            found[n] = True
        return Identity(embedding, found)
