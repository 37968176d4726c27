"""What torchvision's detectors of persons have in common: their weights, and pictures in and answers out."""

from __future__ import annotations

from importlib import metadata
from typing import TYPE_CHECKING, Any

import numpy as np

from animate.annotate.libraries import digest, pretrained_weights
from animate.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import nn

    from animate.annotate.protocols import Frames

    Answer = dict[str, NDArray[Any]]
    """Of one picture: ``boxes`` (M, 4) in pixels, ``scores`` (M,), ``labels`` (M,) and more."""

SIDE = 800
"""Shorter side of the pictures that the networks see, as they were trained."""
SURE = 0.7
"""Score from which something is a person."""
_AT_ONCE = 8


class Detector:
    """A network of ``torchvision.models.detection``.

    Args:
        weights: its file in the table of weights.
        build: makes the network, without weights; its name is in messages.
        title: what it is called.
        device: a torch device; None: the GPU if there is one.
        side: shorter side at which things are looked for.
        sure: score from which something is there.

    Raises:
        UserError: the weights cannot be had or are of another network.

    """

    def __init__(
        self,
        weights: str,
        build: Callable[..., nn.Module],
        title: str,
        device: str | None,
        side: int,
        sure: float,
    ) -> None:
        import torch

        path = pretrained_weights(weights)
        self._device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        network = build(weights=None, weights_backbone=None, min_size=side, box_score_thresh=sure)
        _fill(network, path, title, build.__name__)
        self._network = network.eval().to(self._device)
        self.version = f"torchvision-{metadata.version('torchvision')} {side}-{sure} {digest(path)}"

    def __call__(self, frames: Frames) -> Iterator[Answer]:
        """Look at (N, H, W, 3), 8 of them at a time."""
        import torch

        for start in range(0, len(frames), _AT_ONCE):
            some = np.ascontiguousarray(frames[start : start + _AT_ONCE])
            pictures = torch.from_numpy(some).to(self._device).permute(0, 3, 1, 2)
            with torch.inference_mode():
                answers = self._network(list(pictures.float() / 255.0))
            for answer in answers:
                yield {key: value.cpu().numpy() for key, value in answer.items()}


def _fill(network: nn.Module, path: Path, title: str, builder: str) -> None:
    """Load a state dict of torchvision's layout. Raises ``UserError`` when the file holds something else."""
    import torch

    try:
        network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    except Exception as error:  # torch.load has no exception of its own for a file it cannot read
        raise UserError(
            f"{path}: no weights of {title} in it; give a state dict of torchvision's {builder}"
        ) from error
