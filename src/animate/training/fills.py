"""Classical fills as rows of a report, which an inpainting network has to beat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from animate.ops.classical_fills import CLASSICAL, fill_each

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np
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
        frames, holes = (batch[key][:, 1:].flatten(0, 1) for key in ("frames", "hole_mask"))
        return fill_each(self.fill, frames, holes)


FILLS: Mapping[str, Baseline] = {name: Fill(fill) for name, fill in CLASSICAL.items()}
