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
    return _changing(made - clean, where)


def _changing(error: Tensor, where: Tensor) -> float:
    """Compute how much an error (T, 3, H, W) changes from frame to frame; see :func:`flicker`."""
    counted = torch.maximum(where[1:], where[:-1])
    return float((error.diff(dim=0).abs().mean(1, keepdim=True) * counted).sum() / counted.sum())


def crop_scores(crop: Tensor, matte: Tensor) -> dict[str, float]:
    """Score a crop to the person in the middle frame of T.

    Args:
        crop: (T, 3): left, top and side of squares in pixels, which may reach beyond the picture; a side of 0
            is no crop.
        matte: (T, 1, H, W): the true one.

    Returns:
        ``crop_kept``: the share of the person's pixels in the square, NaN where nobody is there;
        ``crop_share``: the share of the picture that the square takes.

    """
    true = matte[len(matte) // 2, 0]
    left, top, side = crop[len(crop) // 2].tolist()
    inside = torch.zeros_like(true)
    inside[max(top, 0) : max(top + side, 0), max(left, 0) : max(left + side, 0)] = 1
    figure = (true > _ON).to(true.dtype)
    return {
        "crop_kept": float((figure * inside).sum() / figure.sum()),
        "crop_share": float(inside.mean()),
    }


def stand_in(made: Tensor, clean: Tensor, matte: Tensor, hole: Tensor) -> dict[str, float]:
    """Put the person back in another place, as an imitation would, and look at what then shows.

    The person is mirrored left and right over the picture: a stand-in for an imitation, whose figure covers
    other pixels than the person did in the source. It is the same over both backgrounds, so that pictures
    differ by ``(1 - matte) (made - clean)``, whatever the person looks like.

    Args:
        made: (T, 3, H, W): backgrounds.
        clean: the true ones.
        matte: (T, 1, H, W): the person's.
        hole: (T, 1, H, W), 0 or 1: where the person was.

    Returns:
        ``seam``: how much gradients along the old hole's edge differ from the true ones, where the new person
        does not cover it, in the middle frame; ``stand_in_flicker``: :func:`flicker` of what shows.

    """
    mirrored = matte.flip(-1)
    error, bare = (1 - mirrored) * (made - clean), (mirrored == 0).to(hole.dtype)
    middle = slice(len(made) // 2, len(made) // 2 + 1)
    band = edge(hole[middle]) * bare[middle]
    steeper = _gradients(error[middle]).abs().mean((1, 2))[:, None]
    return {
        "seam": float((steeper * band).sum() / band.sum()),
        "stand_in_flicker": _changing(error, hole * bare),
    }


def _gradients(pictures: Tensor) -> Tensor:
    """Differences to the right and downwards: (B, C, 2, H, W), 0 at the last column and row."""
    right = F.pad(pictures.diff(dim=-1), (0, 1))
    down = F.pad(pictures.diff(dim=-2), (0, 0, 0, 1))
    return torch.stack([right, down], dim=2)
