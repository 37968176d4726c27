"""Augmentation: parameters drawn in the worker, applied to the whole batch on the device.

A draw belongs to a sample and is the same for all of its frames. Geometry (flip, rotation, resize, crop)
becomes one affine map per sample and one ``grid_sample``; a lone flip is done without interpolation, and a
sample whose draw changes nothing is not touched. Points and masks move with the pictures.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

import torch
import torch.nn.functional as F

from animate.errors import UserError
from animate.ops.colour import brighten_, contrast_, saturate_, turn_hue_
from animate.ops.grid import affine_grid

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np
    from torch import Tensor

    from animate.types import Batch

Adjustment = Literal["brightness", "contrast", "saturation", "hue"]
PICTURES: tuple[Literal["frames", "background"], ...] = ("frames", "background")
"""The keys of a batch that hold colour."""
MAPS: tuple[Literal["label", "instance"], ...] = ("label", "instance")
"""The keys that hold a number for each pixel, which cannot be mixed."""
SPATIAL = (*PICTURES, "person_mask", *MAPS)
"""The keys that have values for each pixel."""
POINTS: tuple[Literal["points", "visible"], ...] = ("points", "visible")
"""The keys that have a row for each point."""


class Draw(NamedTuple):
    """What chance decided for one sample."""

    time_flip: bool = False
    horizontal_flip: bool = False
    angle: float = 0.0
    """Degrees, counter-clockwise."""
    scale: float = 1.0
    """Of the content: above 1 it grows and part of it leaves the picture."""
    shift: tuple[float, float] = (0.0, 0.0)
    """Of the window over the grown content, (x, y) in units of half the picture."""
    colour: tuple[tuple[Adjustment, float], ...] = ()
    """Adjustments with their factors, in the order of application."""

    @property
    def warps(self) -> bool:
        """Whether pixels have to be interpolated."""
        return self.angle != 0 or self.scale != 1 or self.shift != (0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Augmentation:
    """What may happen to a sample. Nothing does with the defaults.

    The ranges are those of the First Order Motion Model's ``augmentation.py``, with two accidents of it
    mended: there a time flip returned before the horizontal flip was tried, so that only a quarter of the
    samples were mirrored where a half was asked for; and its bilinear and nearest resizing were swapped.

    Args:
        time_flip: probability of turning the order of frames round.
        horizontal_flip: probability of mirroring left and right.
        rotation: largest angle in degrees; uniform in [-rotation, rotation].
        resize: (smallest, largest) factor by which content is scaled, uniform; what becomes larger than the
            picture is cropped at random, what becomes smaller is centred.
        crop: side of a random window, as a share of the picture's; the window is scaled to the whole picture.
        brightness: strength b of a factor in [max(0, 1-b), 1+b], as in torchvision's ``ColorJitter``.
        contrast: as ``brightness``; around the mean grey of each frame.
        saturation: as ``brightness``; around the grey of each pixel.
        hue: strength h of a turn in [-h, h] of the colour circle; at most 0.5. The adjustments that have a
            strength follow each other in random order.
        padding: what is seen beyond the edge of a frame: ``border`` repeats the last pixel, as the reference
            pads; ``reflection`` mirrors, ``zeros`` is black.

    Raises:
        UserError: a value is outside of its range.

    """

    time_flip: float = 0.0
    horizontal_flip: float = 0.0
    rotation: float = 0.0
    resize: tuple[float, float] | Sequence[float] = (1.0, 1.0)
    crop: float = 1.0
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0
    padding: Literal["border", "reflection", "zeros"] = "border"

    def __post_init__(self) -> None:
        low, high = self.resize
        checks = {
            "time_flip is a probability": 0 <= self.time_flip <= 1,
            "horizontal_flip is a probability": 0 <= self.horizontal_flip <= 1,
            "rotation is in degrees, 0 to 180": 0 <= self.rotation <= 180,
            "resize is [smallest, largest], above 0": 0 < low <= high,
            "crop is a share of the side, above 0 and at most 1": 0 < self.crop <= 1,
            "brightness, contrast and saturation are at least 0": min(
                self.brightness, self.contrast, self.saturation
            )
            >= 0,
            "hue is at most 0.5, half of the colour circle": 0 <= self.hue <= 0.5,
            "padding is border, reflection or zeros": self.padding in {"border", "reflection", "zeros"},
        }
        if wrong := [rule for rule, holds in checks.items() if not holds]:
            raise UserError(f"data.augmentation: {'; '.join(wrong)}; got {self}")

    def draw(self, rng: np.random.Generator) -> Draw:
        """Draw the parameters of one sample.

        Every number is drawn whether it is needed or not, so that switching one augmentation on leaves what
        the others do to the same sample as it was.
        """
        time, mirror, turn, size, x, y, *strengths = (float(u) for u in rng.random(10))
        order = rng.permutation(4)
        scale = (self.resize[0] + size * (self.resize[1] - self.resize[0])) / self.crop
        slack = max(scale - 1, 0.0)
        return Draw(
            time_flip=time < self.time_flip,
            horizontal_flip=mirror < self.horizontal_flip,
            angle=self.rotation * (2 * turn - 1),
            scale=scale,
            shift=(slack * (2 * x - 1), slack * (2 * y - 1)),
            colour=tuple(step for k in order if (step := self._adjustment(int(k), strengths[k])) is not None),
        )

    def _adjustment(self, which: int, uniform: float) -> tuple[Adjustment, float] | None:
        name = ADJUSTMENTS[which]
        strength: float = getattr(self, name)
        if strength == 0:
            return None
        if name == "hue":
            return name, strength * (2 * uniform - 1)
        low, high = max(0.0, 1 - strength), 1 + strength
        return name, low + uniform * (high - low)

    def apply(self, batch: Batch, draws: Sequence[Draw], swap: Sequence[int] = ()) -> None:
        """Apply each sample's draw to it, in place: the tensors of pictures and masks are overwritten.

        Args:
            batch: pictures as float, on the device. Time flips were done when the sample was read.
            draws: B draws of this augmentation.
            swap: the place of each point's mirror image (``Layout.swap``): what was a left hand is a right
                one in a mirrored picture. Without it points keep their numbers.

        """
        # A CPU is faster by the sample, which stays in its cache; a GPU by all at once.
        count = 1 if batch["frames"].device.type == "cpu" else len(draws)
        for first in range(0, len(draws), count):
            part = slice(first, first + count)
            # mypy wants each key of a batch spelt out
            self._apply({k: batch[k][part] for k in SPATIAL if k in batch}, draws[part])  # type: ignore[literal-required]
        if "points" in batch and any(draw.horizontal_flip or draw.warps for draw in draws):
            _move_points(batch, draws, list(swap))

    def _apply(self, tensors: Mapping[str, Tensor], draws: Sequence[Draw]) -> None:
        """Adjust and move what has a value for each pixel, in place."""
        for key, values in tensors.items():
            if key in PICTURES:
                adjust_(values, draws)
            self._move_(values, draws, "nearest" if key in MAPS else "bilinear")

    def _move_(self, pictures: Tensor, draws: Sequence[Draw], mode: str) -> None:
        """Mirror and warp (B, T, C, H, W) pictures."""
        for b, draw in enumerate(draws):
            if draw.horizontal_flip and not draw.warps:
                pictures[b] = pictures[b].flip(-1)
        warps = [b for b, draw in enumerate(draws) if draw.warps]
        if warps:
            pictures[warps] = warp(pictures[warps], [draws[b] for b in warps], self.padding, mode)


def warp(pictures: Tensor, draws: Sequence[Draw], padding: str, mode: str = "bilinear") -> Tensor:
    """Warp (B, T, C, H, W) pictures, with the centres of the corner pixels at -1 and 1.

    Whole numbers up to 2^24 stay what they are with the mode ``nearest``.
    """
    height, width = pictures.shape[-2:]
    inverse = torch.linalg.inv(_matrices(draws, height, width))[:, :2]
    merged = pictures.flatten(1, 2)
    merged = merged if merged.is_floating_point() else merged.float()
    grid = affine_grid(inverse.to(merged), height, width)
    warped = F.grid_sample(merged, grid, mode=mode, padding_mode=padding, align_corners=True)
    return warped.view_as(pictures).to(pictures.dtype)


def _matrices(draws: Sequence[Draw], height: int, width: int) -> Tensor:
    """Where content goes: (B, 3, 3) float64 maps of points (x, y, 1), built on the CPU.

    A point is mirrored, turned and scaled about the centre of the picture, then the window is shifted.
    """
    aspect = (width - 1) / max(height - 1, 1)
    rows = []
    for draw in draws:
        mirror = -1.0 if draw.horizontal_flip else 1.0
        turn = math.radians(draw.angle)
        # y points down, so that this sign turns counter-clockwise for who looks at the picture.
        cos, sin = draw.scale * math.cos(turn), draw.scale * math.sin(turn)
        x, y = draw.shift
        rows.append([[mirror * cos, sin / aspect, -x], [-mirror * sin * aspect, cos, -y], [0.0, 0.0, 1.0]])
    return torch.tensor(rows, dtype=torch.float64)


def _move_points(batch: Batch, draws: Sequence[Draw], swap: list[int]) -> None:
    """Move the points with the pictures; what leaves the picture is not visible any more."""
    moved = [b for b, draw in enumerate(draws) if draw.horizontal_flip or draw.warps]
    flipped = [b for b, draw in enumerate(draws) if draw.horizontal_flip]
    before = batch["points"][moved]
    matrix = _matrices([draws[b] for b in moved], *batch["frames"].shape[-2:]).to(before)
    after = torch.einsum("bij,btpj->btpi", matrix[:, :2, :2], before) + matrix[:, None, None, :2, 2]
    batch["points"] = batch["points"].clone()
    batch["points"][moved] = after
    if "visible" in batch:
        batch["visible"] = batch["visible"].clone()
        batch["visible"][moved] &= _inside(after) | ~_inside(before)
    for key in POINTS if swap and flipped else ():
        if key in batch:
            batch[key][flipped] = batch[key][flipped][:, :, swap]


def _inside(points: Tensor) -> Tensor:
    return (points.abs() <= 1).all(-1)


def adjust_(pictures: Tensor, draws: Sequence[Draw]) -> None:
    """Adjust the colours of (B, T, 3, H, W) pictures in [0, 1] in place, each sample in its own order."""
    for place in range(max(len(draw.colour) for draw in draws)):
        for name, adjust in ADJUST.items():
            rows = [b for b, d in enumerate(draws) if len(d.colour) > place and d.colour[place][0] == name]
            if rows:
                factors = pictures.new_tensor([draws[b].colour[place][1] for b in rows])
                whole = len(rows) == len(draws) and pictures.is_contiguous()
                chosen = pictures if whole else pictures[rows]
                adjust(chosen.flatten(0, 1), factors.repeat_interleave(chosen.shape[1]))
                if not whole:
                    pictures[rows] = chosen


ADJUST: dict[Adjustment, Callable[[Tensor, Tensor], Tensor]] = {
    "brightness": brighten_,
    "contrast": contrast_,
    "saturation": saturate_,
    "hue": turn_hue_,
}
ADJUSTMENTS: tuple[Adjustment, ...] = tuple(ADJUST)
