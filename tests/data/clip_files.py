"""Media with known pixels, written with PyAV and Pillow directly: frame i is flat grey of ``level(i)``."""

from pathlib import Path

import av
import numpy as np
from PIL import Image


def level(i):
    return 20 + 7 * i


def flat(i, size=(32, 48)):
    return np.full((*size, 3), level(i), np.uint8)


def moving(i, size=(64, 64)):
    """A white square that walks over black."""
    image = np.zeros((*size, 3), np.uint8)
    image[8:24, 4 + 2 * i : 20 + 2 * i] = 255
    return image


def write_video(path, n=12, draw=flat, fps=25, gop=5, codec="libx264", first_pts=0):
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(f"file:{path}", "w") as container:
        stream = container.add_stream(codec, rate=fps, options={"crf": "8", "threads": "1"})
        stream.height, stream.width = draw(0).shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.codec_context.gop_size = gop
        stream.codec_context.max_b_frames = 2
        for i in range(n):
            frame = av.VideoFrame.from_ndarray(draw(i), format="rgb24")
            frame.pts = first_pts + i
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def write_gif(path, n=6, draw=flat):
    path.parent.mkdir(parents=True, exist_ok=True)
    first, *others = [Image.fromarray(draw(i)) for i in range(n)]
    first.save(path, save_all=True, append_images=others, duration=100, loop=0)
    return path


def write_frames(folder, n=12, draw=flat, pattern="{}.png"):
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(n):
        Image.fromarray(draw(i)).save(folder / pattern.format(i))
    return folder


def write_strip(path, n=6, side=16):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.concatenate([flat(i, (side, side)) for i in range(n)], axis=1)).save(path)
    return path


def levels(frames):
    """The number of each frame, read back from its grey."""
    return [round((float(frame.mean()) - 20) / 7) for frame in frames]
