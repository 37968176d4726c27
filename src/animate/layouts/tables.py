"""All layouts by name, and what corresponds between them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from animate.errors import UserError
from animate.layouts.bodies import BODY25, COCO17, COCO18, MEDIAPIPE33
from animate.layouts.faces import FACE5, FACE68, FACE70, HAND21
from animate.layouts.puppets import PUPPET, PUPPET_KINDS, puppets_layout
from animate.layouts.whole_bodies import BODY25_FACE_HANDS, COCO18_FACE_HANDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from animate.layouts.layout import Layout

LAYOUTS: Mapping[str, Layout] = {
    layout.name: layout
    for layout in (
        *(COCO17, COCO18, BODY25, MEDIAPIPE33, BODY25_FACE_HANDS, COCO18_FACE_HANDS),
        *(FACE68, FACE70, FACE5, HAND21),
        *(PUPPET, *PUPPET_KINDS.values()),
    )
}

MEANS: Mapping[str, tuple[str, ...]] = {
    "neck": ("right_shoulder", "left_shoulder"),
    "mid_hip": ("right_hip", "left_hip"),
    "right_eye": tuple(f"right_eye_{i}" for i in range(6)),
    "left_eye": tuple(f"left_eye_{i}" for i in range(6)),
    "right_pupil": tuple(f"right_eye_{i}" for i in range(6)),
    "left_pupil": tuple(f"left_eye_{i}" for i in range(6)),
    "nose_tip": ("bridge_3",),
    "right_mouth_corner": ("lips_outer_0",),
    "left_mouth_corner": ("lips_outer_6",),
}
"""Points that a layout may lack but that are the mean of others that it has."""


def layout_named(name: str) -> Layout:
    """Find a layout; several kinds of puppets as in ``puppet_face_animal``, too.

    Raises ``UserError`` when there is none of this name.
    """
    kinds = tuple(name.removeprefix("puppet_").split("_"))
    if name.startswith("puppet_") and len(kinds) > 1 and set(kinds) <= set(PUPPET_KINDS):
        return puppets_layout(kinds)
    if name not in LAYOUTS:
        raise UserError(f"there is no layout {name!r} of points; known are: {', '.join(LAYOUTS)}")
    return LAYOUTS[name]


def translation(source: Layout, target: Layout) -> tuple[tuple[int, ...], ...]:
    """For each point of ``target``, the points of ``source`` that it is the mean of; none: no counterpart."""
    places = {point: i for i, point in enumerate(source.points)}

    def origin(point: str) -> tuple[int, ...]:
        if point in places:
            return (places[point],)
        part, dot, bare = point.rpartition(".")
        parts = [part + dot + name for name in MEANS.get(bare, ())]
        return tuple(places[name] for name in parts) if all(name in places for name in parts) else ()

    return tuple(origin(point) for point in target.points)


def translated(
    points: NDArray[np.float32], found: NDArray[np.bool_], source: Layout, target: Layout
) -> tuple[NDArray[np.float32], NDArray[np.bool_]] | None:
    """Express points in another layout.

    A point that is a mean of others is found where all of them are; a point without counterpart is not.

    Args:
        points: (..., J, 2).
        found: (..., J).
        source: their layout.
        target: the wanted one, of K points.

    Returns:
        (..., K, 2), zeros where not found, and (..., K); None when no point has a counterpart. In the same
        layout both come back as they are.

    """
    if source == target:
        return points, found
    origins = translation(source, target)
    if not any(origins):
        return None
    places = np.zeros((*points.shape[:-2], len(origins), 2), np.float32)
    there = np.zeros(places.shape[:-1], np.bool_)
    for j, origin in enumerate(origins):
        if origin:
            there[..., j] = found[..., list(origin)].all(axis=-1)
            places[..., j, :] = points[..., list(origin), :].mean(axis=-2)
    places[~there] = 0.0
    return places, there
