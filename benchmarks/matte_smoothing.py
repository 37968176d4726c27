"""What smoothing over time does to mattes: how much they flicker, and how far they are from the true ones.

``python -m benchmarks.matte_smoothing`` takes drawn puppets that no training saw and the mattes that the
packaged network finds; with ``--clips`` and ``--mattes``, two folders with files of the same names, it takes
those mattes as the truth and makes them wobble by a seeded field. docs/mattes.md has the tables.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch

from animate.annotate import backends
from animate.data.synthetic import PuppetIndex
from animate.pipelines.matte_smoothing import Shown, Smoothing, causal, motion, offline
from animate.video.decode import stream
from animate.video.image import resize
from animate.video.probe import probe
from benchmarks.report import Row, publish

SIDE = 256
"""The shorter side that clips are brought to."""
NEAR = 3.5
"""Pixel centres at most so far from the nearest one across the contour lie within 3 pixels of it."""
SEEN = Smoothing(sensitivity=0.025)
"""How motion is told from stillness here, whatever the defaults of smoothing are."""
STILL, MOVING = 0.1, 0.5
"""Of the motion between frames: below, a pixel stands still; above, it moves."""
PUPPETS = 6
"""Clips of each kind."""
INSIDE_FLICKER = 0.05
ON_FIGURE = 0.5
KINDS = ("person", "face", "animal")


class Clip(NamedTuple):
    """Frames with the mattes that were found, and the true ones (T, H, W)."""

    name: str
    fps: float
    shown: list[Shown]
    truth: np.ndarray


def main() -> None:
    """Read the command line, measure, publish."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.matte_smoothing", description=__doc__)
    parser.add_argument("--clips", type=Path, help="folder of videos; default: puppets")
    parser.add_argument("--mattes", type=Path, help="folder of their mattes, videos of the same names")
    parser.add_argument("--wobble", type=float, nargs="+", default=[0.0, 0.25, 0.5, 1.5], help="in pixels")
    parser.add_argument("--steady", action="store_true", help="wrong in the same way in all frames")
    parser.add_argument("--size", type=int, default=128, help="of the puppets")
    parser.add_argument("--output", type=Path, default=Path("outputs/benchmarks"), help="folder for the JSON")
    args = parser.parse_args()
    name, clips = "matte_smoothing_puppets", puppets(args.size)
    if args.clips is not None:
        name, clips = "matte_smoothing", wobbling_clips(args.clips, args.mattes, args.wobble, args.steady)
    publish(name, [row for clip in clips for row in rows(clip)], args.output)


def puppets(size: int) -> Iterator[Clip]:
    """Cut held-out puppets out by the packaged network."""
    matter = backends.mattes("puppet", device="cpu")
    for kind in KINDS:
        index = PuppetIndex(test_clips=PUPPETS, size=size, kinds=[kind])
        for clip in index.clips("test"):
            reader, numbers = clip.reader.open(clip), range(clip.num_frames)
            frames, truth = reader.frames(numbers), reader.truth(numbers)["person_mask"]
            found = matter(frames)
            shown = [Shown(tensor(f), torch.from_numpy(m)[None]) for f, m in zip(frames, found, strict=True)]
            yield Clip(clip.name, float(clip.fps), shown, truth)


def wobbling_clips(folder: Path, mattes: Path, wobble: list[float], steady: bool) -> Iterator[Clip]:
    """Take every video that has mattes, with each wobble."""
    for path in sorted(folder.iterdir()):
        if (mattes / path.name).is_file():
            yield from (wobbling(path, mattes / path.name, pixels, steady) for pixels in wobble)


def wobbling(path: Path, mattes: Path, pixels: float, steady: bool) -> Clip:
    """Make a clip's mattes wobble, anew in each frame; ``steady``: shift them alike in all frames."""
    rng = np.random.default_rng(0)
    shown, truth = [], []
    for frame, matte in zip(stream(path), stream(mattes), strict=True):
        rng = np.random.default_rng(0) if steady else rng
        scale = SIDE / min(frame.image.shape[:2])
        size = (round(scale * frame.image.shape[0]), round(scale * frame.image.shape[1]))
        truth.append(resize(matte.image, size)[..., 0].astype(np.float32) / 255)
        wobbled = wobble(truth[-1], pixels, rng) if pixels else truth[-1]
        shown.append(Shown(tensor(resize(frame.image, size)), torch.from_numpy(wobbled)[None]))
    return Clip(f"{path.stem}, {pixels:g} px", float(probe(path).fps), shown, np.stack(truth))


def wobble(matte: np.ndarray, pixels: float, rng: np.random.Generator) -> np.ndarray:
    """Shift a matte by a smooth field of this deviation, and let what is inside flicker by 5 %."""

    def field(sigma: float) -> np.ndarray:
        noise = cv2.GaussianBlur(rng.standard_normal(matte.shape).astype(np.float32), (0, 0), sigma)
        return noise / noise.std()

    y, x = np.mgrid[: matte.shape[0], : matte.shape[1]].astype(np.float32)
    inside = INSIDE_FLICKER * field(4) * (matte > INSIDE_FLICKER)
    x, y = x + pixels * field(8), y + pixels * field(8)
    moved = cv2.remap(matte, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.clip(moved + inside, 0, 1)


def tensor(image: np.ndarray) -> torch.Tensor:
    """(H, W, 3) uint8 to (3, H, W) in [0, 1]."""
    return torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1).float() / 255


def rows(clip: Clip) -> Iterator[Row]:
    """Measure the mattes of a clip raw, causal and offline; flicker and errors in thousandths."""
    near = np.stack([near_contour(one) for one in clip.truth])
    moved = [motion(a.picture, b.picture, SEEN)[0].numpy() for a, b in pairwise(clip.shown)]
    change = np.stack([np.zeros_like(moved[0]), *moved])
    smoothed = {
        "raw": (one.matte for one in clip.shown),
        "causal": causal(clip.shown, clip.fps),
        "offline": offline(clip.shown),
    }
    for name, mattes in smoothed.items():
        matte = torch.cat(list(mattes)).numpy()
        error, changes = np.abs(matte - clip.truth), np.abs(np.diff(matte, axis=0))
        untrue = np.abs(np.diff(matte, axis=0) - np.diff(clip.truth, axis=0))
        found, true = matte > ON_FIGURE, clip.truth > ON_FIGURE
        yield {
            "clip": clip.name,
            "smooth": name,
            "flicker_still": thousandths(changes[change[1:] < STILL]),
            "flicker": thousandths(untrue),
            "boundary": thousandths(error[near]),
            "boundary_moving": thousandths(error[near & (change > MOVING)]),
            "iou": round(float((found & true).sum() / max((found | true).sum(), 1)), 4),
        }


def near_contour(matte: np.ndarray) -> np.ndarray:
    """Tell which pixels are at most 3 pixels from where a matte passes one half."""
    inside = (matte > ON_FIGURE).astype(np.uint8)
    if inside.min() == inside.max():
        return np.zeros(matte.shape, bool)
    within, without = (cv2.distanceTransform(part, cv2.DIST_L2, 5) for part in (inside, 1 - inside))
    return np.asarray(within + without <= NEAR)


def thousandths(values: np.ndarray) -> float:
    """Their mean; 0 where there are none."""
    return round(1e3 * float(values.mean(dtype=np.float64)), 2) if values.size else 0.0


if __name__ == "__main__":
    main()
