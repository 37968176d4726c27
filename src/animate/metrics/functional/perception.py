"""Distances between two sets of feature vectors, in float64."""

from __future__ import annotations

import torch
from torch import Tensor


def mean_and_covariance(count: Tensor, total: Tensor, products: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and unbiased covariance (divided by n - 1) of n vectors, from their sums.

    Args:
        count: () how many vectors n; at least 2.
        total: (D,) sum of the vectors, float64.
        products: (D, D) sum of their outer products, float64.

    Returns:
        (D,) and (D, D).

    """
    mean = total / count
    return mean, (products - count * torch.outer(mean, mean)) / (count - 1)


def frechet_distance(mean_x: Tensor, covariance_x: Tensor, mean_y: Tensor, covariance_y: Tensor) -> Tensor:
    """Squared Fréchet distance of two Gaussians, |m_x - m_y|^2 + tr(C_x + C_y - 2 (C_x C_y)^(1/2)).

    Heusel et al., "GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash Equilibrium" (2017),
    eq. 6. The trace of the root is taken as the sum of the singular values of C_x^(1/2) C_y^(1/2): the same
    number without complex roots, and exact to rounding when the covariances have not full rank (fewer frames
    than features), where eigenvalues of the product C_x C_y would leave an error of about 1e-8 each.

    Args:
        mean_x: (D,) float64.
        covariance_x: (D, D) float64, symmetric, no negative eigenvalues.
        mean_y: like ``mean_x``.
        covariance_y: like ``covariance_x``.

    Returns:
        () float64; NaN when an argument is not finite.

    """
    shift: Tensor = (mean_x - mean_y).square().sum()
    if not (covariance_x.isfinite().all() and covariance_y.isfinite().all()):
        return shift * torch.nan
    overlap = torch.linalg.svdvals(_root(covariance_x) @ _root(covariance_y)).sum()
    distance: Tensor = shift + covariance_x.trace() + covariance_y.trace() - 2 * overlap
    return distance.clamp(min=0)  # rounding may take equal sets below


def _root(covariance: Tensor) -> Tensor:
    """Symmetric square root; eigenvalues that rounding made negative count as 0."""
    values, vectors = torch.linalg.eigh(covariance)
    root: Tensor = (vectors * values.clamp(min=0).sqrt()) @ vectors.T
    return root


def squared_mmd(x: Tensor, y: Tensor) -> Tensor:
    """Unbiased squared maximum mean discrepancy under the kernel (a.b / D + 1)^3.

    Binkowski et al., "Demystifying MMD GANs" (2018), eq. 4 and section 4; may be slightly below 0.

    Args:
        x: (M, D), M at least 2.
        y: (N, D), N at least 2.

    Returns:
        () float64.

    """
    x, y = x.double(), y.double()
    return _mean_off_diagonal(_kernel(x, x)) + _mean_off_diagonal(_kernel(y, y)) - 2 * _kernel(x, y).mean()


def _kernel(x: Tensor, y: Tensor) -> Tensor:
    return (x @ y.T / x.shape[1] + 1).pow(3)


def _mean_off_diagonal(kernel: Tensor) -> Tensor:
    n = len(kernel)
    off_diagonal: Tensor = kernel.sum() - kernel.trace()
    return off_diagonal / (n * (n - 1))


def kernel_distance(x: Tensor, y: Tensor, subsets: int, subset_size: int, seed: int) -> Tensor:
    """Mean of :func:`squared_mmd` over random subsets of both sets: the "KID" of Binkowski et al. (2018).

    Args:
        x: (M, D).
        y: (N, D).
        subsets: how many pairs of subsets are drawn, each without replacement.
        subset_size: vectors in each, at least 2.
        seed: of the draws.

    Returns:
        () float64; NaN when either set is smaller than ``subset_size``.

    """
    if min(len(x), len(y)) < subset_size:
        return torch.full((), torch.nan, dtype=torch.float64, device=x.device)
    generator = torch.Generator().manual_seed(seed)

    def drawn(vectors: Tensor) -> Tensor:
        chosen = torch.randperm(len(vectors), generator=generator)[:subset_size]
        return vectors[chosen.to(vectors.device)]

    return torch.stack([squared_mmd(drawn(x), drawn(y)) for _ in range(subsets)]).mean()
