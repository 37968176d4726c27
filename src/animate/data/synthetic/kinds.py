"""The kinds of figures there are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from animate.data.synthetic import animal, face, person
from animate.errors import UserError
from animate.layouts import PUPPET_ANIMAL, PUPPET_FACE, PUPPET_PERSON

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from animate.data.synthetic.chance import Chance
    from animate.data.synthetic.figure import Figure


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of figure."""

    name: str
    joints: tuple[str, ...]
    draw: Callable[[int, Chance, Chance, NDArray[np.float64], slice], Figure]
    """From identity, the dice of its look and of its motion, the times of all frames in s, and those to keep.
    """


KINDS = (
    Kind("person", PUPPET_PERSON.points, person.draw_person),
    Kind("face", PUPPET_FACE.points, face.draw_face),
    Kind("animal", PUPPET_ANIMAL.points, animal.draw_animal),
)


def kind_named(name: str) -> Kind:
    """Find the kind of this name. Raises ``UserError`` when there is none."""
    for kind in KINDS:
        if kind.name == name:
            return kind
    known = ", ".join(kind.name for kind in KINDS)
    raise UserError(f"puppets: there is no kind '{name}'; known are {known}")
