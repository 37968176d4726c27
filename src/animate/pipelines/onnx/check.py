"""How far exported networks are from torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from animate.errors import UserError
from animate.pipelines.onnx.description import PictureError
from animate.pipelines.onnx.session import Session

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from torch import Tensor

    from animate.pipelines.onnx.graphs import Graph

LIMIT = 1e-4
"""Largest difference from torch with which a float32 graph is kept."""
BATCHES = (1, 3)
"""Lengths of the batch that are compared; a graph is traced with 2."""


@torch.no_grad()
def largest_difference(graph: Graph, path: Path) -> float:
    """Compare a float32 file with torch, at several lengths of the batch.

    Returns:
        The largest difference; of numbers beyond 1 (entries of Jacobians) relative to them.

    Raises:
        UserError: it is larger than ``LIMIT``, or is no number.

    """
    session = Session(path, dict.fromkeys(graph.inputs), dict.fromkeys(graph.outputs))
    worst = 0.0
    for length in BATCHES:
        given = {name: tensor[:length] for name, tensor in graph.inputs.items()}
        expected = graph.module(**given)
        expected = expected if isinstance(expected, tuple) else (expected,)
        found = session(**given)
        for name, wanted in zip(graph.outputs, expected, strict=True):
            worst = max(worst, _difference(found[name], wanted))
    if not worst <= LIMIT:
        raise UserError(
            f"the exported {graph.name} differs from torch by {worst:.1e}, which is more than {LIMIT:.0e}:"
            " nothing was written; try other --calibration pictures, or report the versions of torch and onnx"
        )
    return worst


def _difference(found: Tensor, wanted: Tensor) -> float:
    if found.shape != wanted.shape:
        return float("inf")
    return float(((found - wanted).abs() / wanted.abs().clamp(min=1)).max())


def picture_error(pairs: Iterable[tuple[Tensor, Tensor]], measured_on: str) -> PictureError:
    """Measure pictures (B, 3, H, W) against those of torch, batch by batch.

    Raises:
        UserError: some pixels are no numbers.

    """
    absolute, square, largest, pixels, frames = 0.0, 0.0, 0.0, 0, 0
    for found, wanted in pairs:
        difference = (found.float() - wanted).abs().double()
        if not torch.isfinite(difference).all():
            raise UserError("the exported model makes pixels that are no numbers; choose another --precision")
        absolute += float(difference.sum())
        square += float(difference.square().sum())
        largest = max(largest, float(difference.max()))
        pixels, frames = pixels + difference.numel(), frames + len(difference)
    mean_square = square / pixels
    psnr = None if mean_square == 0 else -10 * float(torch.tensor(mean_square, dtype=torch.float64).log10())
    return PictureError(absolute / pixels, largest, psnr, frames, measured_on)
