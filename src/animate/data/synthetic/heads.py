"""Heads, hair and hats, shared by the full figure and the portrait; sizes are relative to its radius."""

from __future__ import annotations

from typing import TYPE_CHECKING

from animate.data.synthetic.palette import INK, WHITE, Colour, mix
from animate.data.synthetic.rig import between
from animate.data.synthetic.shapes import capsule, ellipse, mirrored, smooth

if TYPE_CHECKING:
    from animate.data.synthetic.chance import Chance
    from animate.data.synthetic.rig import RigBuilder
    from animate.data.synthetic.shapes import Point, Points


SKULL_TURN = 0.45
"""Share of a head's turn by which its outline turns: a ball looks the same from all sides, features move on
it."""


def placed(points: list[Point], centre: Point, r: float) -> Points:
    """Return the smooth closed curve through points given in units of the head's radius around its centre."""
    return smooth([(centre[0] + r * x, centre[1] + r * y) for x, y in points])


def head_outline(look: Chance, centre: Point, r: float) -> Points:
    """Return the outline of a face: round, long, heart-shaped or square-jawed."""
    jaw, chin, cheek = look.uniform(0.48, 0.80), look.uniform(0.92, 1.06), look.uniform(0.92, 1.04)
    half = [(0.0, -1.0), (0.62, -0.80), (0.95, -0.25), (cheek, 0.25), (jaw, 0.78), (0.0, chin)]
    return placed(mirrored(half), centre, r)


def add_long_hair(rig: RigBuilder, look: Chance, centre: Point, r: float, colour: Colour) -> None:
    """Hair that hangs behind the head and swings."""
    length, width = look.uniform(0.9, 1.9), look.uniform(0.95, 1.2)
    style = look.integer(3)
    swing = between("skull", "hair", 1, centre[1], centre[1] + r * length)
    if style == 0:  # loose
        half = [
            (0.0, -1.05),
            (0.85, -0.75),
            (1.12, 0.0),
            (width, 0.6 * length),
            (0.75 * width, length),
            (0.0, 0.9 * length),
        ]
        rig.model([(placed(mirrored(half), centre, r), colour, swing, "hair")], depth=-0.10)
    elif style == 1:  # two bunches
        for s in (-1.0, 1.0):
            bunch = placed(
                [
                    (s * 0.75, -0.1),
                    (s * 1.25, -0.25),
                    (s * 1.55, 0.3),
                    (s * 1.45, 0.85),
                    (s * 1.2, 1.15),
                    (s * 1.0, 0.5),
                ],
                centre,
                r,
            )
            rig.model([(bunch, colour, swing, "hair")], depth=-0.05)
    else:  # a tail to one side
        tail = placed(
            [(0.3, -0.7), (0.95, -0.85), (1.45, -0.35), (1.5, 0.5), (1.25, length), (1.1, 0.45), (0.9, -0.1)],
            centre,
            r,
        )
        rig.model([(tail, colour, swing, "hair")], depth=-0.05)


def add_short_hair(rig: RigBuilder, look: Chance, centre: Point, r: float, colour: Colour) -> None:
    """Add the hair that frames the forehead, in front of the face."""
    part = look.uniform(-0.5, 0.5)
    fringe = look.uniform(-0.45, -0.22)
    cap = [
        (-1.04, 0.05),
        (-1.08, -0.45),
        (-0.72, -1.0),
        (0.0, -1.18),
        (0.72, -1.0),
        (1.08, -0.45),
        (1.04, 0.05),
    ]
    styles = (
        [*cap, (0.86, fringe - 0.05), (part + 0.25, fringe - 0.3), (part, fringe - 0.1),
         (part - 0.25, fringe), (-0.86, fringe)],
        [*cap, (0.84, -0.2), (0.55, fringe), (0.28, fringe - 0.12), (0.0, fringe), (-0.28, fringe - 0.12),
         (-0.55, fringe), (-0.84, -0.2)],
        [*cap, (0.80, -0.42), (0.4, -0.66), (0.0, -0.72), (-0.4, -0.66), (-0.80, -0.42)],
        [(-1.0, 0.0), (-1.12, -0.5), (-0.95, -0.75), (-0.98, -1.1), (-0.5, -1.08), (-0.3, -1.35),
         (0.05, -1.12), (0.45, -1.32), (0.6, -1.02), (1.02, -1.0), (0.98, -0.65), (1.14, -0.4), (1.0, 0.0),
         (0.82, -0.35), (part, fringe - 0.2), (-0.82, -0.3)],
    )  # fmt: skip
    rig.model([(placed(list(look.pick(styles)), centre, r), colour, "skull", "hair")], depth=0.25 * r)
    x, y = centre
    shine = capsule((x - 0.5 * r, y - 0.78 * r), (x - 0.2 * r, y - 0.93 * r), 0.05 * r, 0.04 * r)
    rig.paint(shine, mix(colour, WHITE, 0.35), "skull", "hair", depth=0.4 * r)


def add_hat(rig: RigBuilder, look: Chance, centre: Point, r: float, colour: Colour) -> None:
    """Perhaps a hat: a woollen one with a bobble, a cap, a top hat, a bow or a flower."""
    choice = look.integer(8)
    x, y = centre
    light, dark = mix(colour, WHITE, 0.45), mix(colour, INK, 0.3)
    if choice == 0:
        add_beanie(rig, centre, r, colour, light)
    elif choice == 1:
        crown = placed(
            [(-0.98, -0.5), (-0.85, -1.1), (0.0, -1.38), (0.85, -1.1), (0.98, -0.5), (0.0, -0.62)], centre, r
        )
        peak = placed(
            [(-0.95, -0.56), (0.0, -0.74), (0.95, -0.56), (0.75, -0.34), (0.0, -0.44), (-0.75, -0.34)],
            centre,
            r,
        )
        rig.model([(crown, colour, "skull", "hat")], depth=0.3 * r)
        rig.model([(peak, dark, "skull", "hat")], depth=1.1 * r)
    elif choice == 2:
        crown = placed(
            [(-0.6, -0.78), (-0.64, -1.55), (0.0, -1.62), (0.64, -1.55), (0.6, -0.78), (0.0, -0.7)], centre, r
        )
        brim = ellipse((x, y - 0.78 * r), 1.05 * r, 0.17 * r)
        band = placed(
            [(-0.6, -1.08), (0.0, -1.02), (0.6, -1.08), (0.6, -0.86), (0.0, -0.8), (-0.6, -0.86)], centre, r
        )
        rig.model(
            [(brim, (76, 70, 92), "skull", "hat"), (crown, (76, 70, 92), "skull", "hat")], depth=0.2 * r
        )
        rig.paint(band, colour, "skull", "hat", depth=0.3 * r)
    elif choice == 3:
        for s in (-1.0, 1.0):
            loop = placed(
                [(0.5, -1.02), (0.5 + s * 0.42, -1.32), (0.5 + s * 0.5, -0.98), (0.5 + s * 0.36, -0.72)],
                centre,
                r,
            )
            rig.model([(loop, colour, "skull", "hat")], depth=0.5 * r)
        rig.model(
            [(ellipse((x + 0.5 * r, y - 1.02 * r), 0.13 * r, 0.15 * r, corners=12), dark, "skull", "hat")],
            depth=0.55 * r,
        )


def add_beanie(rig: RigBuilder, centre: Point, r: float, colour: Colour, light: Colour) -> None:
    """Add a woollen hat with a bobble that swings."""
    crown = placed(
        [(-1.0, -0.45), (-0.92, -1.0), (-0.4, -1.36), (0.4, -1.36), (0.92, -1.0), (1.0, -0.45), (0.0, -0.6)],
        centre,
        r,
    )
    fold = placed(
        [(-1.05, -0.62), (0.0, -0.84), (1.05, -0.62), (1.02, -0.3), (0.0, -0.5), (-1.02, -0.3)], centre, r
    )
    bobble = ellipse((centre[0], centre[1] - 1.48 * r), 0.27 * r, 0.26 * r, corners=16)
    rig.model([(bobble, light, "bobble", "hat")])
    rig.model([(crown, colour, "skull", "hat"), (fold, light, "skull", "hat")], depth=0.3 * r)
