"""Folders of pictures: which files are frames, in which order, and how large they are."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from animate.errors import UserError
from animate.video.source import require_file

PICTURES = frozenset({".png", ".jpg", ".jpeg"})
_DIGITS = re.compile(r"(\d+)")
_EXIF_ORIENTATION = 0x0112


def natural_key(name: str) -> tuple[tuple[tuple[int, int, str], ...], str]:
    """Key to sort by, for which ``2`` comes before ``10``; ``1`` and ``01`` stay apart, by their text."""
    parts = tuple((0, int(p), "") if p.isdecimal() else (1, 0, p) for p in _DIGITS.split(name) if p)
    return parts, name


def is_hidden(name: str) -> bool:
    """Whether a file is hidden, as are the ``._`` companions that macOS leaves behind."""
    return name.startswith(".")


def is_picture(name: str) -> bool:
    """Whether a file name is one of a frame: png or jpg, not hidden."""
    return not is_hidden(name) and Path(name).suffix.lower() in PICTURES


def list_frames(folder: Path) -> list[Path]:
    """List the pictures of a folder in natural order."""
    pictures = (path for path in folder.iterdir() if is_picture(path.name))
    return sorted(pictures, key=lambda path: natural_key(path.name))


def upright_size(path: Path) -> tuple[int, int]:
    """Read (height, width) of a picture as it is seen, from its header alone.

    Raises ``UserError`` when it is missing, empty, too large or not a picture.
    """
    require_file(path, "picture")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                width, height = image.size
                # Asking a PNG without orientation for it would decode the whole picture.
                turned = "exif" in image.info and image.getexif().get(_EXIF_ORIENTATION, 1) in (5, 6, 7, 8)
    except UnidentifiedImageError:
        raise UserError(f"{path} is not a picture that can be read") from None
    except Image.DecompressionBombError:
        raise UserError(f"{path} has too many pixels") from None
    except (OSError, SyntaxError, ValueError) as error:
        raise UserError(f"{path} is damaged ({error})") from None
    return (width, height) if turned else (height, width)
