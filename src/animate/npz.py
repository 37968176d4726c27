"""Arrays out of NumPy's files, their sizes being looked at before any memory is taken for them.

Nothing is unpickled, nothing is unpacked onto the disk, and no number in a header is believed: NumPy itself
takes the memory that a header asks for and only then finds that the file is shorter.
"""

from __future__ import annotations

import math
import zipfile
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path
    from typing import IO

    from numpy.lib.npyio import NpzFile
    from numpy.typing import NDArray

LARGEST = 1 << 31
"""Bytes of the largest array that is read: 512 numbers for each frame of 11 hours at 25 frames/s."""
DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    OSError,
    ValueError,
    KeyError,
    TypeError,
    EOFError,
    SyntaxError,
    OverflowError,
)
"""What NumPy and the archive raise for a file that is damaged."""


def open_arrays(path: Path) -> NpzFile | NDArray[Any]:
    """Open an ``.npz``, or map the array of an ``.npy``: one that is not there in full cannot be mapped.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it would have to be unpickled, or is shorter than it says; others of ``DAMAGE`` too.

    """
    content: NpzFile | NDArray[Any] = np.load(path, allow_pickle=False, mmap_mode="r")
    return content


def open_archive(file: IO[bytes]) -> NpzFile:
    """Open an ``.npz`` that is part of something else; it is for the caller to close ``file``.

    Raises:
        zipfile.BadZipFile: it is none; others of ``DAMAGE`` too.

    """
    return np.lib.npyio.NpzFile(file, allow_pickle=False)  # np.load would read an .npy as it claims to be


def read_array(file: NpzFile, name: str, largest: int = LARGEST) -> NDArray[Any]:
    """Read an array of an ``.npz``, of up to ``largest`` bytes.

    Raises:
        KeyError: it has none of this name.
        ValueError: its header does not fit the bytes that there are, or these are too many, or it would have
            to be unpickled; others of ``DAMAGE`` too.

    """
    assert file.zip is not None
    member = file.zip.getinfo(f"{name}.npy")
    if member.file_size > largest:
        raise ValueError(f"{name} has {member.file_size} bytes; at most {largest} are read")
    with file.zip.open(member) as stream:
        claimed = _claimed(stream)
        if claimed != member.file_size - stream.tell():
            raise ValueError(f"{name} says that it has {claimed} bytes; there are not as many")
    array: NDArray[Any] = file[name]
    return array


def _claimed(stream: IO[bytes]) -> int:
    """Read the header of an array; return how many bytes it says that follow."""
    version = np.lib.format.read_magic(stream)
    if version == (1, 0):
        shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
    elif version == (2, 0):
        shape, _, dtype = np.lib.format.read_array_header_2_0(stream)
    else:
        raise ValueError(f"an array of format {version[0]}.{version[1]} is not read")
    if dtype.hasobject:
        raise ValueError("it holds Python objects, which would have to be unpickled")
    return math.prod(shape) * dtype.itemsize
