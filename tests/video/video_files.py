"""Small videos whose every frame is known: the frame's number stands in it as black and white blocks."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np
from av.video.frame import VideoFrame

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

BITS = 8


def coded(number: int, height: int = 48, width: int = 64) -> NDArray[np.uint8]:
    """A picture that says its number: 8 bits in two rows of four blocks, lowest first, on any size."""
    bits = [(number >> bit) & 1 for bit in range(BITS)]
    rows = np.repeat(np.arange(2), [height // 2, height - height // 2])
    columns = np.minimum(np.arange(width) * 4 // width, 3)
    grey = np.asarray(bits, np.uint8).reshape(2, 4)[rows][:, columns] * 170 + 40
    return np.repeat(grey[..., None], 3, axis=2)


def number_of(image: NDArray[np.uint8]) -> int:
    """Read the number back from the middles of the blocks."""
    height, width = image.shape[:2]
    number = 0
    for bit in range(BITS):
        row, column = divmod(bit, 4)
        y, x = int((row + 0.5) * height / 2), int((column + 0.5) * width / 4)
        patch = image[max(y - 2, 0) : y + 3, max(x - 2, 0) : x + 3]
        number |= int(patch.mean() > 125) << bit
    return number


def write_video(
    path: Path,
    frames: Iterable[NDArray[np.uint8]],
    *,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    fps: Fraction | int = 25,
    times: Sequence[Fraction] | None = None,
    options: dict[str, str] | None = None,
    container: dict[str, str] | None = None,
    rotate: int = 0,
    full_range: bool = False,
    prepare: Callable[[VideoFrame], VideoFrame] | None = None,
) -> Path:
    """Encode RGB(A) frames with plain PyAV; ``times`` in seconds, else at ``fps``."""
    tick = Fraction(1, 90000) if times else 1 / Fraction(fps)
    with av.open(str(path), "w", options=container or {}) as output:
        stream = output.add_stream(codec, rate=fps, options=options or {})
        stream.pix_fmt = pix_fmt
        stream.time_base = stream.codec_context.time_base = tick
        if full_range:
            stream.codec_context.color_range = 2
        if rotate:
            stream.set_display_rotation(rotate)
        for n, image in enumerate(frames):
            if n == 0:
                stream.height, stream.width = image.shape[:2]
            frame = VideoFrame.from_ndarray(image, format="rgba" if image.shape[2] == 4 else "rgb24")
            frame = prepare(frame) if prepare else frame
            frame.time_base, frame.pts = tick, round((times[n] if times else n / Fraction(fps)) / tick)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


def gop(length: int, b_frames: int = 0, extra: str = "") -> dict[str, str]:
    """libx264's options for a key frame every ``length`` frames and nowhere else."""
    fixed = f"keyint={length}:min-keyint={length}:scenecut=0:b-adapt=0"
    return {"x264-params": f"{fixed}:bframes={b_frames}{extra}"}


def numbered(count: int, height: int = 48, width: int = 64) -> list[NDArray[np.uint8]]:
    """The first ``count`` coded pictures."""
    return [coded(n, height, width) for n in range(count)]


def remux(source: Path, target: Path, shift: Fraction = Fraction(0), keep_from: int = 0) -> Path:
    """Copy a video's packets from packet ``keep_from`` on, with their times moved by ``shift`` seconds."""
    options = {"avoid_negative_ts": "disabled"}
    with av.open(str(source)) as given, av.open(str(target), "w", container_options=options) as output:
        stream = given.streams.video[0]
        copy = output.add_stream_from_template(stream)
        packets = [packet for packet in given.demux(stream) if packet.size]
        for packet in packets[keep_from:]:
            move = round(shift / packet.time_base)
            packet.pts += move
            packet.dts += move
            packet.stream = copy
            output.mux(packet)
    return target


def names(folder: Path | str) -> list[str]:
    """What lies in a folder, hidden files too."""
    return sorted(path.name for path in Path(folder).iterdir())
