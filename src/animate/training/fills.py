"""Classical fills as rows of a report, which an inpainting network has to beat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from animate.ops.classical_fills import CLASSICAL

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray
    from torch import Tensor

    from animate.training.baselines import Baseline
    from animate.types import Batch

    Picture = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Fill:
    """Fills every frame by itself; a ``Baseline`` that has nothing to learn.

    Args:
        fill: fills (H, W, 3) where (H, W) is not 0.

    """

    fill: Callable[[Picture, Picture], Picture]

    def __call__(self, batch: Batch) -> Tensor:
        """See ``Baseline``."""
        frames = batch["frames"][:, 1:].flatten(0, 1).movedim(1, -1).mul(255).round().byte().cpu().numpy()
        holes = batch["hole_mask"][:, 1:].flatten(0, 1)[:, 0].gt(0).byte().cpu().numpy()
        # Whoever fills must not see what he is to guess.
        shown = np.where(holes[..., None] > 0, np.uint8(0), frames)
        made = np.stack([self.fill(*one) for one in zip(shown, holes, strict=True)])
        return torch.from_numpy(made).movedim(-1, 1).float().div_(255)


FILLS: Mapping[str, Baseline] = {name: Fill(fill) for name, fill in CLASSICAL.items()}
