"""Still pictures in and out, and the one resize that the project uses.

Rules for reading: EXIF orientation is applied; what is transparent is laid over white; grey becomes three
equal channels; 16 bit is scaled to 8 by keeping the upper byte; palettes are resolved; CMYK is converted
through the embedded colour profile where there is one. The content decides the format, not the name's suffix.
"""

from __future__ import annotations

import io
import math
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from kornia_rs.io import decode_image_png_u8
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from animate.errors import UserError
from animate.video.atomic import destination, temporary_file
from animate.video.source import require_file

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

PICTURE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff"})
_JPEG_SUFFIXES = frozenset({".jpg", ".jpeg"})
_JPEG_QUALITY = 95
_PNG_HEAD = 33
"""Bytes of the signature and of the first chunk, the header."""
_PLAIN_CHUNKS = frozenset(
    {b"IHDR", b"IDAT", b"IEND", b"pHYs", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"sBIT", b"bKGD", b"tIME"}
)
"""Chunks that leave a picture as its pixels are stored."""


def read_image(path: Path | str) -> NDArray[np.uint8]:
    """Read a still picture; of an animated one the first frame.

    Returns:
        (H,W,3) uint8 RGB, upright.

    Raises:
        UserError: the file is missing, empty, damaged, too large, or not a picture.

    """
    path = Path(path)
    require_file(path, "picture")
    plain = _plain_png(path)
    if plain is not None:
        return plain
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path) as picture:
                picture.load()
                return _rgb(ImageOps.exif_transpose(picture))
    except UnidentifiedImageError:
        raise UserError(f"{path} is not a picture that can be read; use PNG or JPEG") from None
    except PermissionError:
        raise UserError(f"{path} cannot be read: no permission; change its access rights") from None
    except Image.DecompressionBombError:
        raise UserError(f"{path} has too many pixels; scale it down first") from None
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise UserError(f"{path} is damaged ({error}); copy or download it again") from None


def _plain_png(path: Path) -> NDArray[np.uint8] | None:
    """Decode a PNG of 8-bit RGB without transparency or a text that could turn it; None for all else.

    The same pixels as Pillow's in half the time: a training sample of a folder of frames is little but this.
    What cannot be decoded is left to Pillow, which knows what to say of it.
    """
    try:
        with path.open("rb") as file:
            head = file.read(_PNG_HEAD)
            width, height = int.from_bytes(head[16:20]), int.from_bytes(head[20:24])
            if not _is_plain(head) or width * height > (Image.MAX_IMAGE_PIXELS or 0):
                return None
            content = head + file.read()
        if any(kind not in _PLAIN_CHUNKS for kind in _chunks(content)):
            return None
        pixels: NDArray[np.uint8] = decode_image_png_u8(content, (height, width), "rgb")
    except Exception:  # the decoder raises nothing more special
        return None
    return pixels


def _is_plain(head: bytes) -> bool:
    """Tell by the first 33 bytes of a file whether it is a PNG with 8 bits of each of R, G and B."""
    return head[:8] == b"\x89PNG\r\n\x1a\n" and head[12:16] == b"IHDR" and head[24:26] == b"\x08\x02"


def _chunks(png: bytes) -> Iterator[bytes]:
    """Name the chunks of a PNG."""
    at = 8
    while at < len(png):
        yield png[at + 4 : at + 8]
        at += 12 + int.from_bytes(png[at : at + 4])


def _rgb(picture: Image.Image) -> NDArray[np.uint8]:
    """Any of Pillow's modes to (H,W,3)."""
    if picture.mode.startswith("I"):  # 16 bit grey: I;16, I;16B, and I from older files
        return _grey16(np.asarray(picture))
    if picture.mode == "F":
        raise ValueError("its pixels are floating point numbers without a known range")
    if picture.mode == "CMYK":
        picture = _from_cmyk(picture)
    if picture.has_transparency_data:
        return over_white(np.asarray(picture.convert("RGBA")))
    return np.array(picture.convert("RGB"))


def _grey16(values: NDArray[np.generic]) -> NDArray[np.uint8]:
    upper_byte = (np.clip(values.astype(np.int64), 0, 65535) >> 8).astype(np.uint8)
    return np.repeat(upper_byte[..., None], 3, axis=2)


def _from_cmyk(picture: Image.Image) -> Image.Image:
    profile = picture.info.get("icc_profile")
    if not profile:
        return picture.convert("RGB")
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        converted = ImageCms.profileToProfile(
            picture, source, ImageCms.createProfile("sRGB"), outputMode="RGB"
        )
    except ImageCms.PyCMSError:
        return picture.convert("RGB")
    return converted or picture.convert("RGB")


def over_white(rgba: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Lay a picture (H,W,4) with straight alpha over white: c·α + 255·(1 − α), rounded. Gives (H,W,3)."""
    alpha = rgba[..., 3:]
    if int(alpha.min()) == 255:
        return np.ascontiguousarray(rgba[..., :3])
    weighted = rgba[..., :3].astype(np.uint32) * alpha + 255 * (255 - alpha.astype(np.uint32))
    return ((weighted + 127) // 255).astype(np.uint8)


def write_image(path: Path | str, image: NDArray[np.uint8]) -> None:
    """Write (H,W,3) uint8 RGB as PNG, or as JPEG (quality 95, full colour resolution), by the suffix.

    An existing file is replaced, in one step when the new one is complete.

    Raises:
        UserError: another suffix, or the place cannot be written.

    """
    path = Path(path)
    check_picture_name(path)
    with temporary_file(destination(path)) as temporary:
        if path.suffix.lower() == ".png":
            Image.fromarray(image).save(temporary, "PNG", compress_level=3)
        else:
            Image.fromarray(image).save(temporary, "JPEG", quality=_JPEG_QUALITY, subsampling=0)


def check_picture_name(path: Path) -> None:
    """Raise ``UserError`` for a name by which no picture can be written."""
    if path.suffix.lower() not in (".png", *_JPEG_SUFFIXES):
        raise UserError(f"{path}: cannot write a picture of this kind; end the name in .png or .jpg")


def resize(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Resize one picture (H,W,3) or a batch (T,H,W,3) to ``size`` = (height, width).

    An axis that shrinks is averaged over the area of each new pixel, one that grows is interpolated linearly
    with half-pixel centres (OpenCV's ``INTER_AREA`` and ``INTER_LINEAR``).
    """
    if image.ndim == 4:
        return (
            np.stack([resize(one, size) for one in image])
            if len(image)
            else np.empty((0, *size, 3), np.uint8)
        )
    smaller = min(size[0], image.shape[0]), min(size[1], image.shape[1])
    for target, interpolation in ((smaller, cv2.INTER_AREA), (size, cv2.INTER_LINEAR)):
        if image.shape[:2] != target:
            image = cv2.resize(image, target[::-1], interpolation=interpolation).astype(np.uint8, copy=False)
    return image


def resize_mask(mask: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    """Resize (H,W) float32 to ``size`` = (height, width) as :func:`resize` does, without rounding."""
    smaller = min(size[0], mask.shape[0]), min(size[1], mask.shape[1])
    for target, interpolation in ((smaller, cv2.INTER_AREA), (size, cv2.INTER_LINEAR)):
        if mask.shape != target:
            mask = cv2.resize(mask, target[::-1], interpolation=interpolation).astype(np.float32, copy=False)
    return mask


def resize_part(
    image: NDArray[np.uint8], corner: tuple[float, float], side: float, size: int
) -> NDArray[np.uint8]:
    """Cut a square out of a picture (H,W,3), at fractions of a pixel too, and bring it to ``size``.

    Outside of the picture its edge is repeated. The filter is a triangle as wide as a pixel of the coarser
    of the two pictures (bilinear with antialiasing), so that a square that glides does not jitter.

    Args:
        image: uint8 RGB.
        corner: (left, top) in pixels, measured at pixel edges: (0, 0) is the picture's own corner.
        side: of the square in pixels.
        size: side of the result, (size,size,3).

    """
    left, top = corner
    reach = 1 + math.ceil(max(1.0, side / size))  # how far the filter looks beyond the square
    x, y = math.floor(left) - reach, math.floor(top) - reach
    length = math.ceil(side) + 2 * reach + 1
    rows = np.arange(y, y + length).clip(0, image.shape[0] - 1)
    columns = np.arange(x, x + length).clip(0, image.shape[1] - 1)
    part = Image.fromarray(image[rows[:, None], columns])
    box = (left - x, top - y, left - x + side, top - y + side)
    return np.array(part.resize((size, size), Image.Resampling.BILINEAR, box=box))
