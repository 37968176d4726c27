"""The drawn data set: articulated puppets over scenes, with the truth about every frame.

A clip is a :class:`Puppet`: a kind (person, face, animal), an identity, and seeds of its look, scene and
motion. Frames are drawn when they are asked for, each by itself, at any size; other sizes show the same
content, squeezed where the aspect differs. Two things can be read back from any picture (:mod:`.readback`):

- Joints: every visible joint carries a round marker, 5.2 px across at 128 x 128, fully saturated, with a hue
  of its own (``palette.marker_colours``) and a dark ring. Nothing else in a picture is that saturated. A
  marker is shown whole or, where the joint is hidden, not at all.
- Identity: the colours of three garments, ten colours each (``palette.GARMENTS``), are the three digits of a
  code that is spread over the identities by a bijection. A person: shirt, sleeves, trousers; a face: shirt,
  scarf, hat; an animal: coat, scarf, boots.

The clean background keeps the shadow that the figure casts on the ground: outside of the matte it equals the
frame exactly. Mirroring a marked picture exchanges the meaning of left and right markers; a joint named
``left_...`` has a partner ``right_...``.
"""

from animate.data.synthetic.kinds import KINDS, Kind
from animate.data.synthetic.one_puppet import OnePuppetIndex
from animate.data.synthetic.puppets import Puppet, PuppetIndex, PuppetReader, part_names
from animate.data.synthetic.readback import read_identity, read_joints
from animate.data.synthetic.scenes import SceneIndex

__all__ = [
    "KINDS",
    "Kind",
    "OnePuppetIndex",
    "Puppet",
    "PuppetIndex",
    "PuppetReader",
    "SceneIndex",
    "part_names",
    "read_identity",
    "read_joints",
]
