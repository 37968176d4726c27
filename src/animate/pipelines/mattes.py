"""Cut the figures out of pictures and videos: mattes of a back-end, smooth in time, into files."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
import torch

from animate.errors import UserError
from animate.pipelines.files import untracked
from animate.pipelines.matte_smoothing import Shown, Smoothing, causal, drawn_to_edges, offline
from animate.pipelines.stream import ahead, batched
from animate.video.decode import FOLDER_FPS, stream
from animate.video.encode import VideoWriter
from animate.video.image import PICTURE_SUFFIXES, write_image
from animate.video.probe import probe

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from animate.annotate.protocols import Matter
    from animate.pipelines.files import Track
    from animate.video.decode import Frame

    Picture = NDArray[np.uint8]
    Matte = NDArray[np.float32]

Order = Literal["causal", "offline", "none"]
BACKDROP = (0, 160, 60)
"""The colour behind a figure in the preview."""
ON_FIGURE = 0.5
_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class MatteSettings:
    """What :func:`matte_file` is to do; docs/mattes.md has the rules."""

    smooth: Order = "causal"
    """Over time: by what came before, by what comes before and after, or not at all. A picture is left."""
    edges: float = 0.0
    """Radius in shares of the shorter side within which mattes are drawn to the picture's edges; 0: not."""
    smoothing: Smoothing = field(default_factory=Smoothing)
    """Its numbers."""
    device: str = "cpu"
    """Where smoothing is computed."""
    overwrite: bool = False
    """Replace existing files."""


class Matted(NamedTuple):
    """What became of a file."""

    matte: Path
    preview: Path
    frames: int
    found: int
    """In how many frames there is a figure."""


class Cut(NamedTuple):
    """A frame and its matte, on the clock of the file."""

    image: Picture
    matte: Matte
    """(H, W) in [0, 1]."""
    time: Fraction


def matte_file(
    matter: Matter, path: Path, output: Path, settings: MatteSettings, track: Track = untracked
) -> Matted:
    """Cut the figure out of a picture or a video.

    For ``photo.jpg`` the folder gets ``photo.png``, the matte in grey, and ``photo_cutout.png``, the figure
    with the matte as its transparency; for ``clip.mp4`` or a folder of pictures ``clip.mp4``, grey frames at
    the times of the clip, and ``clip_cutout.mp4``, the figure over green. Frames are a stream, so memory does
    not grow with the clip. Files appear when they are complete.

    Args:
        matter: finds the mattes.
        path: a picture, a video, or a folder of pictures.
        output: the folder, which is there.
        settings: what to do.
        track: tells the user how far it is.

    Raises:
        UserError: something about the files.

    """
    if path.is_file() and path.suffix.lower() in PICTURE_SUFFIXES:
        return _picture(matter, path, output, settings)
    return _video(matter, path, output, settings, track)


def targets(path: Path, output: Path) -> tuple[Path, Path]:
    """Name the files for the matte and for the preview of ``path``."""
    picture = path.is_file() and path.suffix.lower() in PICTURE_SUFFIXES
    stem, suffix = (path.stem, ".png") if picture else (path.stem if path.is_file() else path.name, ".mp4")
    return output / f"{stem}{suffix}", output / f"{stem}_cutout{suffix}"


def free_targets(path: Path, output: Path, overwrite: bool) -> tuple[Path, Path]:
    """Name the files for ``path``; raise ``UserError`` where they are there and must not be replaced."""
    for target in (named := targets(path, output)):
        if target.resolve() == path.resolve():
            raise UserError(f"{target} would be replaced by its own matte; name another --output")
        if target.exists() and not overwrite:
            raise UserError(f"{target} exists; name another --output or pass --overwrite")
    return named


def cuts(matter: Matter, frames: Iterable[Frame], fps: float, settings: MatteSettings) -> Iterator[Cut]:
    """Yield each frame with its matte, smooth in time and drawn to edges as the settings say."""
    pending: list[Frame] = []

    def shown() -> Iterator[Shown]:
        for batch in batched(frames, _AT_ONCE):
            mattes = matter(np.stack([frame.image for frame in batch]))
            for frame, matte in zip(batch, mattes, strict=True):
                pending.append(frame)
                yield _tensors(frame.image, matte, settings)

    for matte in _smoothed(shown(), fps, settings):
        frame = pending.pop(0)
        yield Cut(frame.image, matte.cpu().numpy()[0], frame.time)


def _tensors(image: Picture, matte: Matte, settings: MatteSettings) -> Shown:
    picture = torch.from_numpy(np.ascontiguousarray(image)).to(settings.device).permute(2, 0, 1).float() / 255
    shown = Shown(picture, torch.from_numpy(np.ascontiguousarray(matte))[None].to(settings.device))
    radius = round(settings.edges * min(matte.shape))
    return shown._replace(matte=drawn_to_edges(shown, radius)) if radius else shown


def _smoothed(shown: Iterator[Shown], fps: float, settings: MatteSettings) -> Iterator[torch.Tensor]:
    if settings.smooth == "causal":
        return causal(shown, fps, settings.smoothing)
    if settings.smooth == "offline":
        return offline(shown, settings.smoothing)
    return (one.matte for one in shown)


def _picture(matter: Matter, path: Path, output: Path, settings: MatteSettings) -> Matted:
    matte_path, preview = free_targets(path, output, settings.overwrite)
    frame = next(stream(path, 0, 1))
    cut = next(cuts(matter, [frame], 1.0, settings))
    write_image(matte_path, grey(cut.matte))
    write_image(preview, np.dstack([cut.image, grey(cut.matte)[..., :1]]))
    return Matted(matte_path, preview, 1, int(_has_figure(cut.matte)))


def _video(matter: Matter, path: Path, output: Path, settings: MatteSettings, track: Track) -> Matted:
    matte_path, preview = free_targets(path, output, settings.overwrite)
    info = None if path.is_dir() else probe(path)
    fps = Fraction(FOLDER_FPS) if info is None else info.fps
    count = found = 0
    with (
        VideoWriter(matte_path, fps, overwrite=settings.overwrite) as mattes,
        VideoWriter(preview, fps, overwrite=settings.overwrite) as shown,
        closing(ahead(stream(path), 2 * _AT_ONCE)) as frames,
    ):
        now: Fraction | None = None
        every = cuts(matter, frames, float(fps), settings)
        for cut in track(every, f"cutting out {path.name}", None if info is None else info.num_frames):
            now = cut.time if now is None or cut.time > now else now + 1 / fps
            mattes.write(grey(cut.matte), now)
            shown.write(over_backdrop(cut.image, cut.matte), now)
            count, found = count + 1, found + _has_figure(cut.matte)
        if not count:
            raise UserError(f"{path}: no frame of it can be decoded; use another file")
    return Matted(matte_path, preview, count, found)


def grey(matte: Matte) -> Picture:
    """Show a matte (H, W) as a picture (H, W, 3)."""
    return np.repeat(np.rint(matte * 255).astype(np.uint8)[..., None], 3, axis=2)


def over_backdrop(image: Picture, matte: Matte) -> Picture:
    """Lay the figure over a plain colour."""
    backdrop = np.array(BACKDROP, np.float32)
    return np.rint(image * matte[..., None] + backdrop * (1 - matte[..., None])).astype(np.uint8)


def _has_figure(matte: Matte) -> bool:
    return bool((matte > ON_FIGURE).any())
