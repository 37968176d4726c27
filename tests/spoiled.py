"""Videos that open and then cannot be decoded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import av

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def spoil_packets(path: Path, numbers: Iterable[int]) -> None:
    """Overwrite these packets of an mp4 with zeros: they can be demuxed but not decoded."""
    with av.open(f"file:{path}") as container:
        packets = [(p.pos, p.size) for p in container.demux(video=0) if p.size]
    content = bytearray(path.read_bytes())
    for number in numbers:
        position, size = packets[number]
        content[position : position + size] = bytes(size)
    path.write_bytes(content)
