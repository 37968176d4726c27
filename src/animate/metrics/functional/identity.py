"""How alike two faces or figures are, by embeddings of a recogniser: ``(N, D)`` each, to (N,) float64."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def csim(prediction: Tensor, target: Tensor) -> Tensor:
    """Cosine of the angle between embeddings, in [-1, 1]; 0 where one of them is zero."""
    cosine: Tensor = F.cosine_similarity(prediction.double(), target.double(), dim=1)
    return cosine


def aed(prediction: Tensor, target: Tensor) -> Tensor:
    """Average Euclidean distance: the distance of embeddings."""
    return aed_squared(prediction, target).sqrt()


def aed_squared(prediction: Tensor, target: Tensor) -> Tensor:
    """Sum of squared differences of embeddings, which the reference's code calls the Euclidean distance."""
    return (prediction.double() - target.double()).square().sum(1)


def identified(queries: Tensor, gallery: Tensor, threshold: float) -> Tensor:
    """Tell which queries are recognised among the identities of a gallery.

    Args:
        queries: ``(C, D)`` float64; query c is a picture of the person of gallery entry c.
        gallery: ``(C, D)`` float64.
        threshold: entries of the gallery this close (Euclidean) or closer are of the same person.

    Returns:
        ``(C,)`` bool: whether the entry nearest to the query is of the query's person.

    """
    # Row by row and by differences: exact for equal vectors, and no (C, C, D) in memory.
    nearest = [int(aed(query, gallery).argmin()) for query in queries]
    return aed(gallery[nearest], gallery) <= threshold
