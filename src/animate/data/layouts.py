"""The layouts in which clips lie on disk, and how a split folder is searched for them.

- a video file (``VIDEO_SUFFIXES``) is a clip;
- a picture directly in the split folder is a strip when it is several frames wide;
- a sub-folder with pictures and without videos is one clip, a frame per picture; it is not searched further;
- any other sub-folder is a group: it is searched for videos and frame folders.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from animate.data.clips import ClipSource, ContainerSource, FrameFolderSource, StripSource
from animate.data.frame_files import is_hidden, is_picture, list_frames, natural_key, upright_size
from animate.data.packed import PackedInfo
from animate.errors import UserError
from animate.sidecars import SUFFIX
from animate.video.probe import probe

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

VIDEO_SUFFIXES = frozenset({".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".gif"})
PICTURE_FPS = 25.0
"""Pictures have no frame rate; this one is assumed wherever a clip made of them is played or written."""


class Facts(NamedTuple):
    """What the index keeps of a clip; ``video`` is None for clips made of pictures."""

    num_frames: int
    exact: bool
    fps: float
    size: tuple[int, int]
    video: PackedInfo | None = None


class Layout(Protocol):
    """One way in which a clip can lie on disk."""

    def facts(self, path: Path) -> Facts:
        """Read the clip's header, or demux it. Raises ``UserError`` or ``OSError`` when that fails."""

    def source(self, facts: Facts) -> ClipSource:
        """How to open a clip with these facts."""


class Container:
    """A video file: demuxed once, not decoded."""

    def facts(self, path: Path) -> Facts:
        """See :class:`Layout`."""
        info = probe(path)
        size = (info.height, info.width)
        return Facts(info.num_frames, info.exact, float(info.fps), size, PackedInfo.pack(info))

    def source(self, facts: Facts) -> ClipSource:
        """See :class:`Layout`."""
        assert facts.video is not None, "a container was demuxed"
        return ContainerSource(facts.video)


class FrameFolder:
    """A folder with one picture per frame; its size is that of the first."""

    def facts(self, path: Path) -> Facts:
        """See :class:`Layout`."""
        files = list_frames(path)
        if not files:
            raise UserError(f"{path}: holds no png or jpg pictures")
        return Facts(len(files), True, PICTURE_FPS, upright_size(files[0]))

    def source(self, facts: Facts) -> ClipSource:  # noqa: ARG002
        """See :class:`Layout`."""
        return FrameFolderSource()


class NotAStripError(UserError):
    """A picture that holds one frame, or no whole number of them."""


@dataclass(frozen=True, slots=True)
class Strip:
    """A picture with frames side by side: square ones, or of ``frame_size`` (height, width)."""

    frame_size: tuple[int, int] | None = None

    def facts(self, path: Path) -> Facts:
        """See :class:`Layout`."""
        height, width = upright_size(path)
        frame_height, frame_width = self.frame_size or (height, height)
        if height != frame_height or width % frame_width or width < 2 * frame_width:
            wanted = (
                f"frames of {frame_width}x{frame_height}" if self.frame_size else "two or more square frames"
            )
            raise NotAStripError(f"{path}: a picture of {width}x{height}, no strip of {wanted}")
        return Facts(width // frame_width, True, PICTURE_FPS, (frame_height, frame_width))

    def source(self, facts: Facts) -> ClipSource:  # noqa: ARG002
        """See :class:`Layout`."""
        return StripSource()


@dataclass(frozen=True, slots=True)
class Found:
    """A place that should be a clip."""

    path: Path
    layout: Layout


def layout_of(path: Path, strip: Strip) -> Layout | None:
    """Tell the layout of one file or frame folder, by its name; None when it is of no known kind."""
    return FrameFolder() if path.is_dir() else _layout_of_file(path, strip)


def _layout_of_file(path: Path, strip: Strip) -> Layout | None:
    if path.suffix.lower() in VIDEO_SUFFIXES:
        return Container()
    return strip if is_picture(path.name) else None


def search(split: Path, strip: Strip) -> Iterator[Found | Path]:
    """Find what should be a clip under a split folder, in natural order, and the paths of what is ignored.

    Hidden names and sidecars are passed over. Links are followed, but never back into a folder that encloses
    them.
    Raises ``UserError`` when a folder cannot be listed.
    """
    yield from _search(split, strip, ())


def _search(folder: Path, strip: Strip, enclosing: Sequence[str]) -> Iterator[Found | Path]:
    real = os.path.realpath(folder)
    if real in enclosing:
        return
    entries = _list(folder)
    if enclosing and _is_frame_folder([entry.name for entry in entries]):
        yield Found(folder, FrameFolder())
        return
    for entry in entries:
        path = Path(entry)
        if entry.is_dir():
            yield from _search(path, strip, (*enclosing, real))
            continue
        layout = _layout_of_file(path, strip)
        is_thumbnail = bool(enclosing) and isinstance(layout, Strip)
        yield path if layout is None or is_thumbnail else Found(path, layout)


def _is_frame_folder(names: Sequence[str]) -> bool:
    if any(Path(name).suffix.lower() in VIDEO_SUFFIXES for name in names):
        return False
    return any(map(is_picture, names))


def _list(folder: Path) -> list[os.DirEntry[str]]:
    """List what is not hidden. An entry knows from the listing whether it is a folder."""
    try:
        with os.scandir(folder) as entries:
            found = [e for e in entries if not is_hidden(e.name) and not e.name.endswith(SUFFIX)]
        return sorted(found, key=lambda entry: natural_key(entry.name))
    except OSError as error:
        raise UserError(f"{folder}: cannot be listed: {error.strerror}; check its permissions") from error
