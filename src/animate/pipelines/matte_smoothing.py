"""Mattes that do not flicker: smoothed over time where the picture stands still, and drawn to its edges.

Nothing here follows motion: where a pixel's surroundings change, its matte is taken as it comes, so that
edges that move are not smeared.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import torch
import torch.nn.functional as F
from kornia.filters import guided_blur

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from torch import Tensor


class Shown(NamedTuple):
    """A frame with its matte."""

    picture: Tensor
    """(3, H, W) in [0, 1]."""
    matte: Tensor
    """(1, H, W) in [0, 1]."""


@dataclass(frozen=True, slots=True)
class Smoothing:
    """How mattes are smoothed over time.

    Args:
        cutoff: frequency in Hz above which a still matte's changes are damped (causal).
        speed: how much the cutoff rises with how fast the matte itself changes (causal): in Hz per 1/s.
        sensitivity: a change of the picture, in shares of its range, that counts as motion.
        reach: frames looked at on either side (offline).
        window: side of the square, in pixels, over which the picture's change is averaged; odd.

    """

    cutoff: float = 0.6
    speed: float = 0.6
    sensitivity: float = 0.02
    reach: int = 4
    window: int = 5


def causal(shown: Iterable[Shown], fps: float, settings: Smoothing | None = None) -> Iterator[Tensor]:
    """Smooth mattes by what came before: the one-euro filter of each pixel, opened by motion.

    Casiez et al., "1 € Filter" (2012): an exponential mean whose cutoff rises with the speed of its input. A
    pixel around which the picture has changed takes the new value at once.

    Args:
        shown: frames with mattes, of one size.
        fps: frames per second.
        settings: how.

    Yields:
        (1, H, W) in [0, 1] for each, at once.

    """
    settings = settings or Smoothing()
    before: Shown | None = None
    smooth = speed = torch.zeros(())
    for now in shown:
        if before is None:
            smooth, speed = now.matte, torch.zeros_like(now.matte)
        else:
            speed = torch.lerp(speed, (now.matte - before.matte) * fps, _share(1.0, fps))
            share = _share(settings.cutoff + settings.speed * speed.abs(), fps)
            moved = motion(now.picture, before.picture, settings)
            smooth = torch.lerp(smooth, now.matte, share + (1 - share) * moved)
        before = now
        yield smooth


def _share(cutoff: Tensor | float, fps: float) -> Tensor:
    """What a new value counts in an exponential mean with this cutoff in Hz."""
    rate = 2 * math.pi * torch.as_tensor(cutoff) / fps
    return rate / (rate + 1)


def offline(shown: Iterable[Shown], settings: Smoothing | None = None) -> Iterator[Tensor]:
    """Smooth mattes by what comes before and after: a mean over ``reach`` frames on either side.

    Frames count less the farther they are (Gaussian, half of ``reach`` as its deviation), and the more the
    picture differs from the one in the middle; nothing is delayed. ``2 reach + 1`` frames are held.

    Args:
        shown: frames with mattes, of one size.
        settings: how.

    Yields:
        (1, H, W) in [0, 1] for each, in order.

    """
    settings = settings or Smoothing()
    held: deque[Shown] = deque(maxlen=2 * settings.reach + 1)
    middle = 0  # the place in `held` of the frame whose turn it is
    for now in shown:
        if len(held) == held.maxlen:
            middle -= 1
        held.append(now)
        if len(held) - middle > settings.reach:
            yield _mean(held, middle, settings)
            middle += 1
    for place in range(middle, len(held)):
        yield _mean(held, place, settings)


def _mean(held: deque[Shown], middle: int, settings: Smoothing) -> Tensor:
    here = held[middle]
    total, weights = here.matte.clone(), torch.ones_like(here.matte)
    for place, other in enumerate(held):
        far = abs(place - middle)
        if 0 < far <= settings.reach:
            near = math.exp(-0.5 * (2 * far / settings.reach) ** 2)
            weight = near * (1 - motion(here.picture, other.picture, settings))
            total += weight * other.matte
            weights += weight
    return total / weights


def motion(a: Tensor, b: Tensor, settings: Smoothing) -> Tensor:
    """Tell where two pictures (3, H, W) differ: (1, H, W), 0 where they are alike, towards 1 where not."""
    change = (a - b).abs().mean(0, keepdim=True)
    around = F.avg_pool2d(
        change[None], settings.window, stride=1, padding=settings.window // 2, count_include_pad=False
    )[0]
    return 1 - torch.exp(-((around / settings.sensitivity) ** 2))


def drawn_to_edges(shown: Shown, radius: int, epsilon: float = 1e-4) -> Tensor:
    """Draw a matte to the edges of its picture: He et al., "Guided Image Filtering" (2010), in colour.

    In each window the matte becomes a linear function of the picture. What is 0 or 1 for as far as the
    window reaches stays so.

    Args:
        shown: a frame with its matte.
        radius: of the windows in pixels; less where the picture is too small for it.
        epsilon: variance of the picture, on [0, 1], below which it shows no edge.

    Returns:
        (1, H, W) in [0, 1].

    """
    radius = min(radius, (min(shown.matte.shape[-2:]) - 1) // 2)
    if radius < 1:
        return shown.matte
    filtered: Tensor = guided_blur(shown.picture[None], shown.matte[None], 2 * radius + 1, epsilon)[0]
    return filtered.clamp(0, 1)
