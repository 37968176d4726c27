"""Mattes by U²-Net (Qin et al., 2020): published weights, converted, or weights of one's own.

What is done to a frame: ``animate.networks.u2net.predict``.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from animate.annotate.libraries import digest
from animate.checkpoints.weights import cache_folder, weights_folders
from animate.errors import UserError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from animate.annotate.protocols import Frames

SUFFIX = ".ckpt"
PUBLISHED = ("u2net", "u2netp", "u2net_human_seg")
"""The published weights that make mattes; ``u2net_portrait`` draws lines."""
SOURCE = "https://github.com/xuebinqin/U-2-Net"
PUPPETS = Path(__file__).with_name("puppet_mattes.ckpt")
_CPU_AT_ONCE, _GPU_AT_ONCE = 2, 16


class U2NetMattes:
    """Cuts the main object out, a person or another; see ``Matter``.

    Args:
        checkpoint: of U²-Net, from ``animate convert u2net`` or ``animate train``.
        name: by which results are known; the file's without.
        device: a torch device; None: the GPU if there is one.

    Raises:
        UserError: the file is missing, damaged, or holds another network.

    """

    def __init__(self, checkpoint: Path, name: str = "", device: str | None = None) -> None:
        import torch

        from animate import checkpoints

        self.name = name or checkpoint.stem
        self._device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        self._networks = checkpoints.load(checkpoint, self._device, method="u2net")
        arguments = self._networks.arguments
        self.version = f"{arguments['layout']} {arguments['image_size']} {digest(checkpoint)}"

    def __call__(self, frames: Frames) -> NDArray[np.float32]:
        """See ``Matter``."""
        at_once = _CPU_AT_ONCE if self._device == "cpu" else _GPU_AT_ONCE
        found = [self._mattes(frames[n : n + at_once]) for n in range(0, len(frames), at_once)]
        return np.concatenate(found) if found else np.zeros(frames.shape[:3], np.float32)

    def _mattes(self, frames: Frames) -> NDArray[np.float32]:
        import torch

        from animate.networks.u2net.predict import mattes_of

        pictures = torch.from_numpy(np.ascontiguousarray(frames)).to(self._device).permute(0, 3, 1, 2)
        mattes = mattes_of(self._networks, pictures.float() / 255.0)
        return np.asarray(mattes[:, 0].cpu().numpy())


def published(name: str, device: str | None = None) -> U2NetMattes:
    """Make the back-end of published weights, which lie converted in a folder for weights.

    Raises:
        UserError: there are none; the message tells how to get them.

    """
    for folder in weights_folders():
        if (path := folder / f"{name}{SUFFIX}").is_file():
            return U2NetMattes(path, name, device)
    place = cache_folder() / f"{name}{SUFFIX}"
    raise UserError(
        f"{name}: its weights are not on this machine and cannot be fetched without you; get {name}.pth as "
        f"{SOURCE} tells, then run: animate convert u2net --checkpoint {name}.pth --output {place}"
    )


def of_puppets(device: str | None = None) -> U2NetMattes:
    """Make the back-end that comes with the package: trained on drawn puppets, it knows nothing else."""
    return U2NetMattes(PUPPETS, "puppet", device)
