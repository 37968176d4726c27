"""How alike two faces or figures are, by embeddings of a recogniser: ``(N, D)`` each, to (N,) float64."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def csim(prediction: Tensor, target: Tensor) -> Tensor:
    """Cosine of the angle between embeddings, in [-1, 1]; 0 where one of them is zero."""
    return F.cosine_similarity(prediction.double(), target.double(), dim=1)


def aed(prediction: Tensor, target: Tensor) -> Tensor:
    """Average Euclidean distance: the distance of embeddings."""
    return torch.linalg.vector_norm(prediction.double() - target.double(), dim=1)


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
    nearest = [int((gallery - query).norm(dim=1).argmin()) for query in queries]
    return torch.linalg.vector_norm(gallery[nearest] - gallery, dim=1) <= threshold
