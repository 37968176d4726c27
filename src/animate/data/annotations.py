"""What sidecars (``animate.sidecars``) say about a clip that lies in files.

They lie beside the clip, or in the user's cache under its content. One that was made for other content is not
used. Training looks here only; back-ends run ahead of time.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from animate.data.frame_files import list_frames
from animate.data.stamp import Stamp, stamp
from animate.errors import UserError
from animate.layouts import layout_named, translated
from animate.sidecars import Sidecar, StaleSidecarError, cache_folder, digest, sidecars_of
from animate.video.image import resize_mask

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    Arrays = Mapping[str, NDArray[Any]]

KINDS = {"truth": "visible", "pose": "found"}
"""The kinds of sidecars that hold points, and the array that says which are there. The first kind counts."""
TEMPORAL = frozenset({"points", "visible"})
"""The entries that have a row for each frame."""


MATTE = "person_mask"


class ClipAnnotations:
    """What sidecars say about a clip: points are kept when they have been read, mattes are read one by one.

    Args:
        path: the clip's file or folder.

    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def at(self, indices: Sequence[int], size: tuple[int, int] | None = None) -> Arrays:
        """Tell what is known about these frames, under the key names of ``types.Batch``, and the ``layout``.

        Empty where there is no sidecar. ``person_mask`` (T, H, W) is read when it is looked up.

        Args:
            indices: the numbers of the frames.
            size: (height, width) of mattes; that of the clip without it.

        Raises:
            UserError: the sidecar is damaged, out of date or shorter than the clip, or there are several.

        """
        return _Known(self._points(indices), self, list(indices), size)

    def mattes(self, indices: Sequence[int], size: tuple[int, int] | None) -> NDArray[np.float32] | None:
        """Read the mattes of these frames, (T, H, W) in [0, 1]; None where there is no such sidecar.

        Raises:
            UserError: as ``at``, or a frame has no matte.

        """
        places = self._places("mattes")
        if not places:
            return None
        with self._open(places[0]) as sidecar:
            self._check(sidecar)
            mattes = [sidecar.matte(index) for index in indices]
        return np.stack([matte if size is None else resize_mask(matte, size) for matte in mattes])

    @cached_property
    def has_mattes(self) -> bool:
        """Whether there is a sidecar of mattes."""
        return bool(self._places("mattes"))

    def _points(self, indices: Sequence[int]) -> dict[str, NDArray[Any]]:
        frames = list(indices)
        count = len(self._whole["points"]) if self._whole else 0
        if self._whole and frames and max(frames) >= count:
            raise UserError(
                f"{self._path}: its sidecar knows {count} frames, and frame {max(frames)} is needed"
            )
        return {key: value[frames] if key in TEMPORAL else value for key, value in self._whole.items()}

    @cached_property
    def _whole(self) -> Arrays:
        for kind, there in KINDS.items():
            if places := self._places(kind):
                with self._open(places[0]) as sidecar:
                    self._check(sidecar)
                    known = {
                        "points": sidecar.array("points"),
                        "visible": sidecar.array(there),
                        "layout": np.asarray(sidecar.header.layout),
                    }
                    return known | ({"identity": sidecar.array("identity")} if kind == "truth" else {})
        return {}

    def _places(self, kind: str) -> list[Path]:
        places = sidecars_of(kind, self._path) or sidecars_of(kind, cache_folder(), self._content)
        if len(places) > 1:
            names = ", ".join(place.name for place in places)
            raise UserError(
                f"{self._path}: several sidecars with {kind}, {names}; leave one in {places[0].parent}"
            )
        return places

    def _open(self, place: Path) -> Sidecar:
        return Sidecar(place)

    def _check(self, sidecar: Sidecar) -> None:
        if sidecar.header.key.content != self._content:
            raise StaleSidecarError(
                f"{sidecar.path} is out of date: the clip has changed since; annotate it again"
            )

    @property
    def _content(self) -> str:
        return known_content(self._path)


class _Known(Mapping[str, "NDArray[Any]"]):
    """Points as they were read, and mattes that are read when they are looked up."""

    def __init__(
        self, points: Arrays, annotations: ClipAnnotations, indices: list[int], size: tuple[int, int] | None
    ) -> None:
        self._points, self._annotations = points, annotations
        self._indices, self._size = indices, size

    def __getitem__(self, key: str) -> NDArray[Any]:
        if key == MATTE and (mattes := self._annotations.mattes(self._indices, self._size)) is not None:
            return mattes
        return self._points[key]

    def __contains__(self, key: object) -> bool:
        return key in self._points or (key == MATTE and self._annotations.has_mattes)

    def __iter__(self) -> Iterator[str]:
        yield from self._points
        if self._annotations.has_mattes:
            yield MATTE

    def __len__(self) -> int:
        return len(self._points) + self._annotations.has_mattes


def known_content(path: Path) -> str:
    """Name the contents of a clip as :func:`content_of` does, looking through it once in a process."""
    return _known_content(path, stamp(path))


def content_of(path: Path) -> str:
    """Name the contents of a clip by its file or folder. Raises ``UserError`` when it cannot be read."""
    try:
        return digest(list_frames(path) if path.is_dir() else [path])
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from error


@cache
def _known_content(path: Path, _stamp: Stamp) -> str:
    """Look through a file once in a process, while it stays as it is."""
    return content_of(path)


def in_layout(known: Arrays, wanted: str, clip: str) -> dict[str, NDArray[Any]]:
    """Express the points of a clip in another layout.

    Args:
        known: ``points`` (T, J, 2), ``visible`` (T, J) and ``layout``.
        wanted: the name of a layout.
        clip: for messages.

    Returns:
        ``points`` and ``visible``; what has no counterpart is not visible.

    Raises:
        UserError: there is no such layout, or no point of it has a counterpart.

    """
    source, target = layout_named(str(known["layout"])), layout_named(wanted)
    found = translated(known["points"], known["visible"], source, target)
    if found is None:
        raise UserError(f"{clip}: its points are {source.name}, none of which corresponds to one of {wanted}")
    return {"points": found[0], "visible": found[1]}
