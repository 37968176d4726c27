"""Frames as pictures in memory: encoded when a store is made, decoded when it is read."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
from PIL import Image

from animate.errors import UserError
from animate.video.decode import FrameError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FLAGS = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
_FORMATS = ("JPEG", "WEBP")
_LOSSLESS = 101  # what OpenCV calls it for WebP


@dataclass(frozen=True, slots=True)
class Codec:
    """How frames are stored.

    Args:
        quality: of JPEG, 1 to 100, with colours at full resolution; None for WebP without loss.

    Raises:
        UserError: the quality is none.

    """

    quality: int | None

    def __post_init__(self) -> None:
        if self.quality is not None and not 1 <= self.quality <= 100:
            raise UserError(f"--quality {self.quality}: of JPEG, from 1 to 100")

    @property
    def name(self) -> str:
        """What the index calls it."""
        return "webp-lossless" if self.quality is None else "jpeg"

    @property
    def suffix(self) -> str:
        """Of the pictures' names."""
        return ".webp" if self.quality is None else ".jpg"

    def encode(self, image: NDArray[np.uint8]) -> bytes:
        """Encode (H, W, 3) uint8 RGB."""
        if self.quality is None:
            options = [cv2.IMWRITE_WEBP_QUALITY, _LOSSLESS]
        else:
            full_colour = [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
            options = [cv2.IMWRITE_JPEG_QUALITY, self.quality, *full_colour]
        return bytes(cv2.imencode(self.suffix, image[..., ::-1], options)[1])


def decode(content: bytes, size: tuple[int, int], where: str) -> NDArray[np.uint8]:
    """Decode a picture of exactly ``size`` (height, width): (H, W, 3) uint8 RGB.

    Its header is looked at first, so that no memory is taken for a larger picture.

    Raises:
        FrameError: it is damaged, or of another size.

    """
    try:
        with Image.open(io.BytesIO(content), formats=_FORMATS) as header:
            found = header.size[::-1]
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise FrameError(f"{where}: is damaged ({type(error).__name__})") from error
    if found != size:
        raise FrameError(f"{where}: is {found[1]}x{found[0]}, and the store's frames are {size[1]}x{size[0]}")
    image = cv2.imdecode(np.frombuffer(content, np.uint8), _FLAGS)
    if image is None:
        raise FrameError(f"{where}: is damaged")
    return np.asarray(image, np.uint8)


def squared_error(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """Mean squared difference of two pictures, in squared levels of 255."""
    return cv2.norm(one, other, cv2.NORM_L2SQR) / one.size
