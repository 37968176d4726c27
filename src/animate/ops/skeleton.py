"""Skeletons as pictures: a map of limbs, or a drawing in colour.

Both are drawn on the points' device, for all frames and limbs at once. Mirroring the points and exchanging
left and right (``Layout.swap``) gives exactly the mirrored picture of the exchanged limbs: where limbs
overlap, nothing depends on their order.
"""

from __future__ import annotations

import colorsys
from functools import lru_cache
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from animate.ops.precision import at_least_float32

if TYPE_CHECKING:
    from collections.abc import Sequence

    from animate.layouts import Layout, Limb

LIMB_WIDTH, LIMB_SIDE = 4.0, 512
"""In a map of limbs the ellipses' half width is 4 px where the picture's shorter side has 512."""
DRAWN_WIDTH, JOINT_RADIUS, DRAWN_SIDE = 4.0, 8.0, 1080
"""In a drawing their half width is 4 px and the joints' radius 8 px where the shorter side has 1080."""
DETAIL = 0.5
"""Faces and hands are drawn at half of these."""
_NARROWEST = 1.0
_OPACITY = 0.6
_WHITE = 1.0
_SATURATION, _VALUE = 1.0, 0.9


def limb_map(
    points: Tensor, found: Tensor, layout: Layout, size: tuple[int, int], width: float | None = None
) -> Tensor:
    """Tell which limb each pixel belongs to: the input of label mode (a).

    A limb is a filled ellipse with its ends at the tips of the long axis. Where several cover a pixel, it
    belongs to the one whose middle line it is nearer to, measured in the ellipse's own half widths. A limb is
    absent when one of its ends was not found; ends outside of the picture are no hindrance. A limb that
    points at the viewer, shorter than it is wide, is a disc.

    Args:
        points: (B, J, 2), (x, y) in [-1, 1].
        found: (B, J) bool.
        layout: which points there are and which limbs join them.
        size: (height, width) of the map.
        width: half width of a limb in pixels; without it, 4 for a shorter side of 512 and in proportion, at
            least 1.

    Returns:
        (B, H, W) int64: 0 where there is no limb, n for limb ``layout.limbs[n - 1]``.

    """
    narrow = _scaled(LIMB_WIDTH, LIMB_SIDE, size) if width is None else width
    depth = _ellipses(points, found, layout.limbs, size, _widths(layout, narrow, points.device))
    nearest, limb = depth.min(dim=1)
    return torch.where(nearest <= 1.0, limb + 1, 0)


def one_hot(labels: Tensor, classes: int) -> Tensor:
    """Spread a map of numbers over channels: (B, H, W) int64 in [0, classes) to (B, classes, H, W) float."""
    return F.one_hot(labels, classes).movedim(-1, 1).to(torch.get_default_dtype())


def rendered(
    points: Tensor,
    found: Tensor,
    layout: Layout,
    size: tuple[int, int],
    width: float | None = None,
    radius: float | None = None,
) -> Tensor:
    """Draw the skeleton in colour over white: the input of label mode (b), and a picture to look at.

    Discs at the ends of limbs, then the limbs over them at 60 % opacity, in hues of their own; where several
    limbs (or discs) overlap, their colours are averaged, and more of them hide more of what is below. The
    points of faces and hands (``Layout.detail``) are drawn half as wide, and only those that a limb joins.

    Args:
        points: (B, J, 2), (x, y) in [-1, 1].
        found: (B, J) bool.
        layout: which points there are and which limbs join them.
        size: (height, width) of the picture.
        width: half width of a limb in pixels; without it, 4 for a shorter side of 1080 and in proportion, at
            least 1.
        radius: of a joint; without it, twice the half width.

    Returns:
        (B, 3, H, W) in [0, 1].

    """
    narrow = _scaled(DRAWN_WIDTH, DRAWN_SIDE, size) if width is None else width
    broad = narrow * JOINT_RADIUS / DRAWN_WIDTH if radius is None else radius
    joints = sorted({end for limb in layout.limbs for end in limb})
    discs: list[Limb] = [(joint, joint) for joint in joints]
    fine = torch.tensor([DETAIL if joint in layout.detail else 1.0 for joint in joints])
    radii = (fine * broad).to(points.device)
    limbs = _widths(layout, narrow, points.device)
    picture = torch.full((len(points), 3, *size), _WHITE, device=points.device)
    over_discs = _blend(picture, _ellipses(points, found, discs, size, radii) <= 1.0, opacity=1.0)
    return _blend(over_discs, _ellipses(points, found, layout.limbs, size, limbs) <= 1.0, _OPACITY)


def coloured(labels: Tensor, classes: int) -> Tensor:
    """Show a map of numbers: (B, H, W) int64 in [0, classes) to (B, 3, H, W) in [0, 1]; 0 is white."""
    colours = torch.cat([torch.ones(1, 3), palette(classes - 1)]).to(labels.device)
    return colours[labels].movedim(-1, 1)


@lru_cache
def palette(count: int) -> Tensor:
    """Return ``count`` hues, evenly around the colour circle from red: (count, 3) in [0, 1]."""
    hues = [colorsys.hsv_to_rgb(i / count, _SATURATION, _VALUE) for i in range(count)]
    return torch.tensor(hues).view(count, 3)


def _scaled(value: float, side: int, size: tuple[int, int]) -> float:
    """Bring a measure from a picture of this shorter side to that of ``size``."""
    return max(value * min(size) / side, _NARROWEST)


def _widths(layout: Layout, width: float, device: torch.device) -> Tensor:
    """Give (L,) half widths: those of limbs between points of faces and hands are halved."""
    fine = [DETAIL if layout.detail.issuperset(limb) else 1.0 for limb in layout.limbs]
    return (torch.tensor(fine) * width).to(device)


def _ellipses(
    points: Tensor, found: Tensor, limbs: Sequence[Limb], size: tuple[int, int], widths: Tensor
) -> Tensor:
    """Measure how far each pixel is from the middle of each ellipse: (B, L, H, W), 1 on the outline.

    In the axes of an ellipse with half length a and half width b this is (along / a)^2 + (across / b)^2.
    It is written out as a quadratic form of the distances in x and y, which needs one array of pixels. The
    coordinates' origin is the middle of the picture, so that what is mirrored is computed alike, bit for bit.
    """
    height, width = size
    ends = torch.tensor(limbs, device=points.device).view(-1, 2)
    extent = torch.tensor([width - 1, height - 1], device=points.device) / 2
    a, b = (at_least_float32(points) * extent)[:, ends].unbind(2)
    half = (b - a) / 2
    length = half.norm(dim=-1)
    along = torch.where(length > 0, half[..., 0] / length, 1.0)
    across = torch.where(length > 0, half[..., 1] / length, 0.0)
    long, short = length.maximum(widths).square().reciprocal(), widths.square().reciprocal()
    xx = along.square() * long + across.square() * short
    yy = across.square() * long + along.square() * short
    xy = 2 * along * across * (long - short)
    middle = (a + b) / 2
    dx = _pixels(width, points.device) - middle[..., 0, None]
    dy = _pixels(height, points.device) - middle[..., 1, None]
    depth: Tensor = (xy[..., None] * dy)[..., None] * dx[..., None, :]
    depth += (xx[..., None] * dx.square())[..., None, :]
    depth += (yy[..., None] * dy.square())[..., None]
    depth.masked_fill_(~found[:, ends].all(-1)[..., None, None], torch.inf)
    return depth


def _pixels(count: int, device: torch.device) -> Tensor:
    """Centres of pixels along an axis, in pixels from its middle."""
    return torch.arange(count, device=device) - (count - 1) / 2


def _blend(picture: Tensor, covered: Tensor, opacity: float) -> Tensor:
    """Lay shapes over a picture: (B, 3, H, W) and (B, N, H, W) bool; a colour of the palette for each."""
    layers = covered.to(picture)
    count = layers.sum(dim=1, keepdim=True)
    colours = palette(covered.shape[1]).to(picture)
    mean = torch.einsum("bnhw,nc->bchw", layers, colours) / count.clamp_min(1.0)
    through = (1.0 - opacity) ** count
    return picture * through + mean * (1.0 - through)
