"""What a layout is, and how one is made from names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Limb = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Layout:
    """A named order of J points."""

    name: str
    points: tuple[str, ...]
    """Their names, in order."""
    limbs: tuple[Limb, ...]
    """Pairs of points to join with a line in a drawing."""
    swap: tuple[int, ...]
    """The place of each point's mirror image; its own where it has none. Mirroring a picture exchanges
    them."""
    detail: frozenset[int] = frozenset()
    """Points of the face and the hands in the layout of a body, which are drawn finer."""

    def index(self, point: str) -> int:
        """Return the place of a point. Raises ``ValueError`` when the layout has none of this name."""
        return self.points.index(point)


def mirrored_name(name: str) -> str:
    """Return a point's name with the sides exchanged."""
    for a, b in (("left_", "right_"), ("right_", "left_")):
        if (start := name.rfind(a)) >= 0 and (start == 0 or not name[start - 1].isalnum()):
            return name[:start] + b + name[start + len(a) :]
    return name


def make_layout(
    name: str,
    points: Sequence[str],
    limbs: Iterable[tuple[str, str]],
    mirror: Mapping[str, str] | None = None,
    detail: frozenset[int] = frozenset(),
) -> Layout:
    """Make a layout from names; ``mirror`` where a mirror image's name does not follow from the point's."""
    places = {point: i for i, point in enumerate(points)}
    swap = tuple(places[(mirror or {}).get(point) or mirrored_name(point)] for point in points)
    return Layout(name, tuple(points), tuple((places[a], places[b]) for a, b in limbs), swap, detail)


def both_sides(*limbs: tuple[str, str]) -> list[tuple[str, str]]:
    """List limbs of the right side, then of the left: ``*`` stands for the side."""
    return [(a.replace("*", s), b.replace("*", s)) for s in ("right", "left") for a, b in limbs]
