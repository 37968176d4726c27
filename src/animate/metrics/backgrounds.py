"""How good a background is behind a person who was taken out of a video, when the truth is known."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from animate.metrics.functional import pixels
from animate.ops.morphology import dilate, erode

BAND = 7
"""Side of the window that a hole is grown and shrunk by: its edge is a band of three pixels either way."""
_ON = 0.5


def scores(made: Tensor, clean: Tensor, hole: Tensor) -> dict[str, float]:
    """Compare backgrounds with the truth: the middle frame of T, and how it changes in time over all.

    Args:
        made: (T, 3, H, W) in [0, 1].
        clean: the same, true.
        hole: (T, 1, H, W), 0 or 1: where the person was.

    Returns:
        ``psnr_hole`` in dB, ``l1_hole`` and ``ssim_hole`` over the hole; ``one_minus_ms_ssim`` over the
        picture (three scales, two below 89 px and one below 45); ``l1_edge`` over the band along the hole's
        edge; ``flicker``, see :func:`flicker`. NaN where there is no hole.

    """
    middle = slice(len(made) // 2, len(made) // 2 + 1)
    one, true, mask = made[middle], clean[middle], hole[middle]
    side = min(made.shape[-2:])
    scales = next((count for count in (3, 2) if side >= pixels.smallest_side(count)), 1)
    return {
        "psnr_hole": float(pixels.psnr(one, true, mask)),
        "l1_hole": float(pixels.l1(one, true, mask)),
        "ssim_hole": float(pixels.ssim(one, true, mask)),
        "one_minus_ms_ssim": 1 - float(pixels.ms_ssim(one, true, scales=scales)),
        "l1_edge": float(pixels.l1(one, true, edge(mask))),
        "flicker": flicker(made, clean, hole),
    }


def mask_scores(hole: Tensor, person: Tensor | None, matte: Tensor) -> dict[str, float]:
    """Say how well the person was found in the middle frame of T.

    Args:
        hole: (T, 1, H, W), 0 or 1: what was filled.
        person: (T, 1, H, W) in [0, 1]: what is kept as the person; None where nobody had to look.
        matte: the true one.

    Returns:
        ``person_left``: the share of the person's pixels outside of the hole, which are left in the
        background. With ``person`` also ``matte_iou`` above one half, and ``matte_edge``: the mean absolute
        error of the matte along the person's edge.

    """
    middle = slice(len(hole) // 2, len(hole) // 2 + 1)
    true, filled = matte[middle], hole[middle]
    figure = (true > _ON).to(true.dtype)
    found = {"person_left": float((figure * (1 - filled)).sum() / figure.sum())}
    if person is not None:
        kept = (person[middle] > _ON).to(true.dtype)
        found["matte_iou"] = float((kept * figure).sum() / torch.maximum(kept, figure).sum())
        band = edge(figure)
        found["matte_edge"] = float(((person[middle] - true).abs() * band).sum() / band.sum())
    return found


def edge(hole: Tensor) -> Tensor:
    """Mark the band along the edge of holes (B, 1, H, W), 0 or 1."""
    return dilate(hole, BAND) - erode(hole, BAND)


def flicker(made: Tensor, clean: Tensor, where: Tensor) -> float:
    """Mean absolute difference of the changes from frame to frame, made and true, over some pixels.

    Args:
        made: (T, 3, H, W).
        clean: the same.
        where: (T, 1, H, W), 0 or 1: a pixel counts if it is marked in one of both frames.

    Returns:
        NaN with a single frame, or where nothing is marked.

    """
    changes = (made.diff(dim=0) - clean.diff(dim=0)).abs().mean(1, keepdim=True)
    counted = torch.maximum(where[1:], where[:-1])
    return float((changes * counted).sum() / counted.sum())


def stand_in(made: Tensor, clean: Tensor, colours: Tensor, matte: Tensor, hole: Tensor) -> dict[str, float]:
    """Put the person back in another place, as an imitation would, and look at what then shows.

    The person is mirrored left and right over the picture: a stand-in for an imitation, whose figure covers
    other pixels than the person did in the source.

    Args:
        made: (T, 3, H, W): backgrounds.
        clean: the true ones.
        colours: (T, 3, H, W): the person, times the matte.
        matte: (T, 1, H, W).
        hole: (T, 1, H, W): where the person was.

    Returns:
        ``seam``: how much gradients along the old hole's edge differ from the true ones, where the new person
        does not cover it, in the middle frame; ``stand_in_flicker``: :func:`flicker` of what shows.

    """
    shown, true = (placed(background, colours, matte) for background in (made, clean))
    open_to_view = hole * (1 - (matte.flip(-1) > 0).to(hole.dtype))
    middle = slice(len(made) // 2, len(made) // 2 + 1)
    band = edge(hole[middle]) * (1 - (matte.flip(-1)[middle] > 0).to(hole.dtype))
    steeper = _gradients(shown[middle] - true[middle]).abs().mean((1, 2))[:, None]
    return {
        "seam": float((steeper * band).sum() / band.sum()),
        "stand_in_flicker": flicker(shown, true, open_to_view),
    }


def placed(background: Tensor, colours: Tensor, matte: Tensor) -> Tensor:
    """Lay a person, mirrored, over backgrounds; see :func:`stand_in`."""
    return colours.flip(-1) + (1 - matte.flip(-1)) * background


def _gradients(pictures: Tensor) -> Tensor:
    """Differences to the right and downwards: (B, C, 2, H, W), 0 at the last column and row."""
    right = F.pad(pictures.diff(dim=-1), (0, 1))
    down = F.pad(pictures.diff(dim=-2), (0, 0, 0, 1))
    return torch.stack([right, down], dim=2)
