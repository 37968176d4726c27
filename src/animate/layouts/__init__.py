"""Which points a pose has, in which order: names, left and right, limbs, and counterparts between layouts.

A point's name is its meaning: points of the same name in two layouts are the same point, and a few points
are midpoints or means of others (``MEANS``). Everything else about translations follows from the names. Left
and right are the figure's own.
"""

from animate.layouts.bodies import BODY25, COCO17, COCO18, MEDIAPIPE33
from animate.layouts.faces import FACE5, FACE68, FACE70, HAND21
from animate.layouts.layout import Layout, Limb
from animate.layouts.puppets import (
    PUPPET,
    PUPPET_ANIMAL,
    PUPPET_FACE,
    PUPPET_KINDS,
    PUPPET_PERSON,
    puppets_layout,
)
from animate.layouts.tables import LAYOUTS, MEANS, layout_named, translated, translation
from animate.layouts.whole_bodies import BODY25_FACE_HANDS, COCO18_FACE_HANDS

__all__ = [
    "BODY25",
    "BODY25_FACE_HANDS",
    "COCO17",
    "COCO18",
    "COCO18_FACE_HANDS",
    "FACE5",
    "FACE68",
    "FACE70",
    "HAND21",
    "LAYOUTS",
    "MEANS",
    "MEDIAPIPE33",
    "PUPPET",
    "PUPPET_ANIMAL",
    "PUPPET_FACE",
    "PUPPET_KINDS",
    "PUPPET_PERSON",
    "Layout",
    "Limb",
    "layout_named",
    "puppets_layout",
    "translated",
    "translation",
]
