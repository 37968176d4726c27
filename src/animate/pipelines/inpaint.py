"""Pictures without the person: holes are found or given, filled by a network, and faded in."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from itertools import repeat
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np
import torch
import torch.nn.functional as F

from animate.errors import UserError
from animate.networks.inpainting import masked
from animate.ops.person_masks import VARIANTS, feather_composite
from animate.pipelines.files import untracked
from animate.pipelines.stream import ahead, batched, onward
from animate.video.decode import FOLDER_FPS, stream
from animate.video.encode import VideoWriter
from animate.video.image import PICTURE_SUFFIXES, read_image, write_image
from animate.video.probe import probe

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor

    from animate.annotate.protocols import Matter
    from animate.networks.inpainting import BackgroundInpainter
    from animate.pipelines.files import Track
    from animate.video.decode import Frame

    Picture = NDArray[np.uint8]
    Mask = NDArray[np.float32]

FEATHER = 0.004
"""Radius of the fading, as a share of the picture's shorter side."""
_ON = 0.5
_AT_ONCE = 4


class HoleFinder(Protocol):
    """Says what is to be filled."""

    def __call__(self, frames: Iterable[Frame], wanted: Collection[int] | None = None) -> Iterator[Holed]:
        """Yield frames with their holes: those of the numbers that are wanted, else all."""


class Holed(NamedTuple):
    """A frame, and what of it is to be filled."""

    image: Picture
    hole: Mask
    """(H, W), 0 or 1."""
    time: Fraction


class Filler(Protocol):
    """Fills holes."""

    @property
    def device(self) -> torch.device:
        """Where it works."""

    def __call__(self, pictures: Tensor, hole_mask: Tensor) -> Tensor:
        """Fill.

        Args:
            pictures: (B, 3, H, W) in [0, 1], on its device.
            hole_mask: (B, 1, H, W), 0 or 1.

        Returns:
            (B, 3, H, W) in [0, 1]; outside of the holes and their soft edges as it was.

        """


class PlateFiller:
    """Shows a clean picture of the background in the hole.

    Args:
        path: the picture.

    Raises:
        UserError: it cannot be read.

    """

    device = torch.device("cpu")

    def __init__(self, path: Path) -> None:
        self._path = path
        self._plate = _tensor(read_image(path))[None]

    def __call__(self, pictures: Tensor, hole_mask: Tensor) -> Tensor:
        """See :class:`Filler`.

        Raises:
            UserError: the pictures are of another size.

        """
        (height, width), (own_height, own_width) = pictures.shape[-2:], self._plate.shape[-2:]
        if (height, width) != (own_height, own_width):
            raise UserError(
                f"{self._path} is {own_width}x{own_height}, and what is to be filled is {width}x{height}: "
                "bring them to one size"
            )
        plate = self._plate.expand_as(pictures)
        return feather_composite(plate, pictures, hole_mask, round(FEATHER * min(height, width)))


class NetworkFiller:
    """Fills holes in pictures of any size by a background network.

    A picture whose shorter side is longer than that of the pictures which the network learned from is brought
    to it; there a pixel belongs to the hole if it holds anything of it. What was made is enlarged, and laid
    over the picture in the hole alone, with a soft edge.

    Args:
        networks: in evaluation mode.

    """

    def __init__(self, networks: BackgroundInpainter) -> None:
        self._networks = networks
        self._side = int(networks.arguments["image_size"])
        self.device = next(networks.parameters()).device

    @torch.inference_mode()
    def __call__(self, pictures: Tensor, hole_mask: Tensor) -> Tensor:
        """See :class:`Filler`."""
        size = (pictures.shape[-2], pictures.shape[-1])
        scale = min(1.0, self._side / min(size))
        small = (max(1, round(scale * size[0])), max(1, round(scale * size[1])))
        made: Tensor = self._networks.background(masked(*shrunk(pictures, hole_mask, small)))
        if small != size:
            made = F.interpolate(made, size, mode="bicubic", align_corners=False).clamp(0, 1)
        return feather_composite(made, pictures, hole_mask, round(FEATHER * min(size)))


def shrunk(pictures: Tensor, hole_mask: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Bring pictures and holes to a smaller (height, width); what a hole touches becomes part of it."""
    if (pictures.shape[-2], pictures.shape[-1]) == size:
        return pictures, hole_mask
    small = F.interpolate(pictures, size, mode="bilinear", align_corners=False, antialias=True)
    # Antialiasing looks further than a pixel: where it saw anything of the hole, so has the picture.
    covered = F.interpolate(hole_mask, size, mode="bilinear", align_corners=False, antialias=True)
    return small, (covered > 0).to(hole_mask.dtype)


@dataclass(frozen=True, slots=True)
class MatteHoles:
    """Holes around whom a back-end finds.

    Args:
        matter: finds the mattes.
        variant: of ``ops.person_masks.VARIANTS``.

    """

    matter: Matter
    variant: str = "own"

    def __call__(self, frames: Iterable[Frame], wanted: Collection[int] | None = None) -> Iterator[Holed]:
        """See :class:`HoleFinder`."""
        chosen = (frame for number, frame in enumerate(frames) if wanted is None or number in wanted)
        for batch in batched(chosen, _AT_ONCE):
            mattes = self.matter(np.stack([frame.image for frame in batch]))
            for frame, matte in zip(batch, mattes, strict=True):
                yield Holed(frame.image, hole_of(matte, self.variant), frame.time)


@dataclass(frozen=True, slots=True)
class FileHoles:
    """Holes from a file: one picture for all frames, or a video with as many.

    Args:
        path: grey or white where the hole is, or the person.
        variant: how a person's matte becomes a hole; None where the file shows the hole itself.

    """

    path: Path
    variant: str | None = None

    def __call__(self, frames: Iterable[Frame], wanted: Collection[int] | None = None) -> Iterator[Holed]:
        """See :class:`HoleFinder`.

        Raises:
            UserError: the file is of another size, or has fewer frames.

        """
        picture = self.path.is_file() and self.path.suffix.lower() in PICTURE_SUFFIXES
        masks = repeat(read_image(self.path)) if picture else (frame.image for frame in stream(self.path))
        for number, frame in enumerate(frames):
            mask = next(masks, None)
            if mask is None:
                raise UserError(f"{self.path} has {number} frames, fewer than what is to be filled")
            if wanted is None or number in wanted:
                yield Holed(frame.image, self._hole(mask, frame.image), frame.time)

    def _hole(self, mask: Picture, image: Picture) -> Mask:
        if mask.shape != image.shape:
            raise UserError(
                f"{self.path} is {mask.shape[1]}x{mask.shape[0]}, and what is to be filled is"
                f" {image.shape[1]}x{image.shape[0]}: bring them to one size"
            )
        matte = mask.mean(axis=2, dtype=np.float32) / np.float32(255)
        return (matte > _ON).astype(np.float32) if self.variant is None else hole_of(matte, self.variant)


def hole_of(matte: Mask, variant: str) -> Mask:
    """Make the hole of a matte (H, W) in [0, 1]: (H, W), 0 or 1."""
    hole: Mask = (
        VARIANTS[variant](torch.from_numpy(np.ascontiguousarray(matte))[None, None]).hole_mask[0, 0].numpy()
    )
    return hole


def checked(holed: Holed, where: str, most: float) -> Holed:
    """Refuse a picture without a hole, or with one that leaves too little to go by.

    Args:
        holed: the picture.
        where: it is, for the message.
        most: the largest share of the picture that a hole may take.

    Raises:
        UserError: says which.

    """
    share = float(holed.hole.mean())
    if share == 0:
        raise UserError(f"{where}: there is no hole to fill; no person was found, or the mask is all black")
    if share > most:
        raise UserError(
            f"{where}: the hole takes {share:.0%} of the picture, more than --max-share {most:g}; "
            + ("the mask is all white" if share == 1 else "use another mask, or raise it")
        )
    return holed


class Filled(NamedTuple):
    """What became of a picture or a video."""

    frames: int
    share: float
    """Of the picture that was hole, on average."""
    empty: int
    """Frames without a hole, which are as they were."""


def fill_picture(path: Path, output: Path, finder: HoleFinder, filler: Filler, most: float) -> Filled:
    """Write a picture without what its hole showed.

    Raises:
        UserError: a file cannot be used, or as :func:`checked`.

    """
    holed = checked(next(finder([next(stream(path, 0, 1))])), str(path), most)
    write_image(output, filled(filler, [holed])[0])
    return Filled(1, float(holed.hole.mean()), 0)


def fill_video(
    path: Path,
    output: Path,
    finder: HoleFinder,
    filler: Filler,
    most: float,
    *,
    overwrite: bool = False,
    track: Track = untracked,
) -> Filled:
    """Write a video, or a folder of pictures, each frame filled by itself; frames are a stream.

    Raises:
        UserError: a file cannot be used, a hole is larger than ``most``, or no frame has one.

    """
    info = None if path.is_dir() else probe(path)
    fps = Fraction(FOLDER_FPS) if info is None else info.fps
    shares: list[float] = []
    now: Fraction | None = None
    with (
        VideoWriter(output, fps, overwrite=overwrite) as writer,
        closing(ahead(stream(path), 2 * _AT_ONCE)) as frames,
    ):
        every = track(finder(frames), f"filling {path.name}", None if info is None else info.num_frames)
        for batch in batched(every, _AT_ONCE):
            for holed in batch:
                if holed.hole.any():
                    checked(holed, f"{path}, frame {len(shares)}", most)
                shares.append(float(holed.hole.mean()))
            for holed, image in zip(batch, filled(filler, batch), strict=True):
                now = onward(holed.time, now, fps)
                writer.write(image, now)
        if not any(shares):
            raise UserError(f"{path}: there is no hole to fill in any frame; no person was found")
    return Filled(len(shares), sum(shares) / len(shares), shares.count(0.0))


def filled(filler: Filler, batch: list[Holed]) -> list[Picture]:
    """Fill a few frames of one size; those without a hole stay as they are."""
    holed = [one for one in batch if one.hole.any()]
    if not holed:
        return [one.image for one in batch]
    device = filler.device
    pictures = torch.stack([_tensor(one.image) for one in holed]).to(device)
    holes = torch.stack([torch.from_numpy(one.hole)[None] for one in holed]).to(device)
    made = iter(filler(pictures, holes).mul(255).round().byte().movedim(1, -1).cpu().numpy())
    return [next(made) if one.hole.any() else one.image for one in batch]


def _tensor(image: Picture) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(image)).movedim(-1, 0).float() / 255
