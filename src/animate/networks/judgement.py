"""What discriminators return."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor


class Judgement(NamedTuple):
    """What a discriminator says of pictures."""

    features: list[Tensor]
    """The output of each block, ``(B, C_i, h_i, w_i)``, for feature matching."""
    score: Tensor
    """(B, 1, h, w), one per patch: what is small for made pictures and large for real ones. The loss decides
    whether it is near 0 and 1 (least squares) or a logit (cross entropy)."""
