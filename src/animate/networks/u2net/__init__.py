"""U²-Net: the main object of a picture as a matte.

``U2NetMatting`` holds what is kept after training::

    x = normalised(pictures)                 # (B, 3, H, W) in [0, 1] to the network's input
    joint, *sides = networks.matting(x)      # seven maps (B, 1, H, W) in [0, 1]
    matte = stretched(joint)                 # as published, with a guard for empty pictures

or, of pictures of any size, ``mattes_of(networks, pictures)``.

The published U²-Net is the layout ``u2net``, U²-Netp is ``u2netp``.
"""

from animate.networks.u2net.model import Layout, U2Net, U2NetMatting, normalised, stretched
from animate.networks.u2net.predict import mattes_of

__all__ = ["Layout", "U2Net", "U2NetMatting", "mattes_of", "normalised", "stretched"]
