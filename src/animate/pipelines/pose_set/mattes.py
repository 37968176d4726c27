"""Where the mattes of a video's frames come from: a back-end, or a sidecar of the video."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from animate.annotate import backends
from animate.annotate.protocols import PersonMatter
from animate.errors import UserError
from animate.sidecars import Sidecar, StaleSidecarError, cache_folder, sidecars_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from animate.annotate.frames import Batch
    from animate.annotate.protocols import Box, Matter
    from animate.pipelines.pose_set.video import Footage

SIDECAR = "sidecar"
"""Stands for a back-end: mattes that were made before, found or drawn."""


class Mattes(Protocol):
    """Gives the mattes of frames."""

    made_by: str
    """The name and version of what made them."""

    def __call__(self, batch: Batch, boxes: Sequence[Box | None]) -> NDArray[np.float32]:
        """(N, H, W) in [0, 1], 1 on the person; where it can tell persons apart, on the one at the box."""


def open_mattes(name: str, footage: Footage) -> Mattes:
    """Get ready to give mattes.

    Raises:
        UserError: there is no back-end of this name, or it cannot be made; or the video has no mattes, or
            more than one set of them, or such as were made of something else.

    """
    if name == SIDECAR:
        return KnownMattes(footage.path, footage.content, footage.num_frames)
    return FoundMattes(backends.mattes(name))


class FoundMattes:
    """Mattes by a back-end; see :class:`Mattes`."""

    def __init__(self, matter: Matter) -> None:
        self._matter = matter
        self.made_by = f"{matter.name} {matter.version}"

    def __call__(self, batch: Batch, boxes: Sequence[Box | None]) -> NDArray[np.float32]:
        """Run the back-end."""
        if isinstance(self._matter, PersonMatter):
            return self._matter.around(batch.frames, boxes)
        return self._matter(batch.frames)


class KnownMattes:
    """The mattes of a clip's sidecar, beside it or in the user's cache; see :class:`Mattes`."""

    def __init__(self, clip: Path, content: str, num_frames: int) -> None:
        self._path = _the_one(clip, content)
        with Sidecar(self._path) as sidecar:
            header = sidecar.header
        if header.key.content != content:
            raise StaleSidecarError(
                f"{self._path} is out of date: the clip has changed since; annotate it again"
            )
        if header.num_frames != num_frames:
            raise UserError(f"{self._path} has mattes of {header.num_frames} frames, and {clip} {num_frames}")
        self.made_by = f"{header.key.backend} {header.key.version}"

    def __call__(self, batch: Batch, boxes: Sequence[Box | None]) -> NDArray[np.float32]:  # noqa: ARG002
        """Read them; a frame that could not be decoded then has an empty one."""
        shape = batch.frames.shape[1:3]
        with Sidecar(self._path) as sidecar:
            broken = sidecar.header.broken
            empty = np.zeros(shape, np.float32)
            mattes = [empty if n in broken else sidecar.matte(n) for n in batch.numbers]
        if any(matte.shape != shape for matte in mattes):
            raise UserError(f"{self._path}: its mattes have another size than the frames; annotate again")
        return np.stack(mattes)


def _the_one(clip: Path, content: str) -> Path:
    places = sidecars_of("mattes", clip) or sidecars_of("mattes", cache_folder(), content)
    if not places:
        raise UserError(
            f"{clip} has no mattes beside it, nor in the cache: `animate annotate mattes` finds or imports"
            " them; or name a back-end with --segment"
        )
    if len(places) > 1:
        names = ", ".join(place.name for place in places)
        raise UserError(f"{clip}: several sidecars with mattes, {names}; leave one in {places[0].parent}")
    return places[0]
