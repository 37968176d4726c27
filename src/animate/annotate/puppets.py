"""The joints and the identity of drawn puppets, read from any picture by their markers and colours.

Needs no weights and knows no motion: what is not to be seen in a frame is not found in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from animate.annotate.protocols import Identity, Pose
from animate.data.synthetic.kinds import KINDS, kind_named
from animate.data.synthetic.markers import Spots, marker_pixels
from animate.data.synthetic.palette import GARMENTS, garment_digits
from animate.data.synthetic.readback import read_identity

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from animate.annotate.protocols import Frames
    from animate.data.synthetic.markers import MarkerPixels

VERSION = "2"
"""Counts changes of what is found."""
_FITS = 0.25
"""How well the hues have to be those of a kind (``MarkerPixels.fit``). Drawn frames reach 0.75, and 0.35
after they were an mp4; for another kind than theirs it is below 0.16."""
_FEWEST = 4
"""Markers without which there is no puppet: bright things in a photograph may look like one or two."""
_ENTRY = 0.5
"""Of each of the four groups of an identity, so that embeddings have length 1."""


class PuppetJoints:
    """Finds the joints of a puppet.

    In drawn frames of 128 x 128 and more it is exact to 0.6 px, and finds all joints that are visible.

    Args:
        kind: What the figure is: its layout is ``puppet_<kind>``. None: each frame's kind is the one whose
            markers' hues fit best; layout ``puppet``, the joints of all kinds, of which one kind's are found,
            or none where no kind fits.

    """

    version = VERSION

    def __init__(self, kind: str | None = None) -> None:
        self._kind = kind
        self.layout = self.name = f"puppet_{kind}" if kind else "puppet"

    def __call__(self, frames: Frames) -> Pose:
        """See ``PointFinder``. A point's score is the share of its marker's disc that is there."""
        pixels = marker_pixels(frames)
        if self._kind:
            spots = [pixels.spots(len(kind_named(self._kind).joints))]
        else:
            spots = _each_kind(pixels, _which_kind(pixels))
        points, found, covered = (np.concatenate(values, axis=1) for values in zip(*spots, strict=True))
        return Pose(self.layout, points, found, covered)


class PuppetIdentity:
    """Reads who a puppet is from the colours of its garments.

    The embedding has four groups of which one entry each is 0.5: the kind of the figure, and the colour of
    its first, second and third garment. Embeddings of the same puppet are equal, those of others are at least
    0.7 apart.
    """

    name = "puppet"
    version = VERSION
    threshold = 0.35

    def __call__(self, frames: Frames) -> Identity:
        """See ``Recogniser``. Not found where no kind fits or a garment cannot be seen."""
        pixels = marker_pixels(frames)
        chosen = _which_kind(pixels)
        spots = _each_kind(pixels, chosen)
        embedding = np.zeros((len(frames), len(KINDS) + 3 * len(GARMENTS)), np.float32)
        for n, kind in enumerate(chosen):
            if kind >= 0:
                seen = spots[kind]
                code = read_identity(frames[n], KINDS[kind].name, seen.points[n], seen.found[n])
                if code is not None:
                    embedding[n, _entries(int(kind), code)] = _ENTRY
        return Identity(embedding, np.any(embedding > 0.0, axis=1))


def _which_kind(pixels: MarkerPixels) -> NDArray[np.int64]:
    """Tell (N,) which kind of figure each picture shows; -1 where none fits."""
    fits = np.stack([pixels.fit(len(kind.joints)) for kind in KINDS])
    return np.where(fits.max(axis=0) >= _FITS, fits.argmax(axis=0), -1)


def _each_kind(pixels: MarkerPixels, chosen: NDArray[np.int64]) -> list[Spots]:
    """Find the joints of each kind, in the pictures that show it."""
    return [_enough(pixels.only(chosen == i).spots(len(kind.joints))) for i, kind in enumerate(KINDS)]


def _enough(spots: Spots) -> Spots:
    """Take back what was found where it is too little."""
    keep = spots.found.sum(axis=1) >= _FEWEST
    points, covered = spots.points * keep[:, None, None], spots.covered * keep[:, None]
    return Spots(points, spots.found & keep[:, None], covered)


def _entries(kind: int, identity: int) -> list[int]:
    """Tell which entries of the embedding are set."""
    colours = enumerate(garment_digits(identity))
    return [kind, *(len(KINDS) + len(GARMENTS) * place + colour for place, colour in colours)]
