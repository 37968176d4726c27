"""Annotate clips: each into its sidecar, unless a good one is there."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from animate.annotate.frames import ClipFrames, batched
from animate.annotate.kinds import KINDS
from animate.data.annotations import content_of as content_of  # pipelines name contents as we do
from animate.errors import UserError
from animate.sidecars import Header, Key, Sidecar, SidecarError, place, write_sidecar
from animate.video.atomic import explain

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

    from animate.annotate.kinds import Kind
    from animate.annotate.protocols import Backend
    from animate.data.index import Clip
    from animate.sidecars import SidecarWriter


@dataclass(frozen=True, slots=True)
class Annotated:
    """What became of a clip."""

    path: Path
    """Its sidecar."""
    header: Header
    done_before: bool
    """Whether the sidecar was there."""
    stale: str = ""
    """Why an older sidecar was replaced, if one was."""


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be done to every clip; picklable, and starts the work in a process.

    Args:
        kind: the name of a kind of annotation.
        backend: the name of its back-end.
        folder: where sidecars go, by content; None: beside each clip.
        overwrite: annotate anew what has been done before.

    """

    kind: str
    backend: str
    folder: Path | None = None
    overwrite: bool = False

    def __call__(self) -> ClipAnnotator:
        """Make the back-end. Raises ``UserError`` when there is none of this name or it cannot be made."""
        kind = KINDS[self.kind]
        return ClipAnnotator(kind, kind.make(self.backend), self.folder, self.overwrite)


class ClipAnnotator:
    """Annotates one clip after the other with one back-end."""

    def __init__(
        self, kind: Kind[Any], backend: Backend, folder: Path | None = None, overwrite: bool = False
    ) -> None:
        self.kind, self.backend = kind, backend
        self._folder, self._overwrite = folder, overwrite

    def __call__(self, clip: Clip) -> Generator[int, None, Annotated]:
        """Annotate a clip, yielding the number of frames after each batch.

        Frames are held a batch at a time. The sidecar appears when the clip is done; a clip that was
        interrupted begins anew.

        Raises:
            UserError: the clip cannot be read at all, or the sidecar not be written.

        """
        key = Key(self.kind.name, self.backend.name, self.backend.version, content_of(clip.path))
        write = partial(self._write, clip, key)
        return (yield from into_sidecar(key, clip, self._folder, self._overwrite, write))

    def _write(self, clip: Clip, key: Key, writer: SidecarWriter) -> Generator[int, None, Header]:
        found, seen = 0, 0
        size = clip.size
        frames = ClipFrames(clip)
        recorder = self.kind.record(self.backend, clip.num_frames)
        for batch in batched(frames.read()):
            size = size if seen else (batch.frames.shape[1], batch.frames.shape[2])
            found += recorder.add(batch, writer)
            seen += len(batch.numbers)
            yield len(batch.numbers)
        if not seen:
            raise UserError(f"{clip.path}: none of its {clip.num_frames} frames can be decoded")
        recorder.finish(writer)
        yield len(frames.broken)
        return Header(key, clip.num_frames, size, found, recorder.layout, frames.broken)


def into_sidecar(
    key: Key,
    clip: Clip,
    folder: Path | None,
    overwrite: bool,
    write: Callable[[SidecarWriter], Generator[int, None, Header]],
) -> Generator[int, None, Annotated]:
    """Write the sidecar of a clip, unless there is one that may be used; yield numbers of frames done.

    Args:
        key: what the sidecar has to agree with.
        clip: what it belongs to.
        folder: where it goes, by content; None: beside the clip.
        overwrite: whether to write it in any case.
        write: fills a new one, and yields as it goes on.

    Raises:
        UserError: it cannot be written.

    """
    target = place(key, clip.path, folder)
    header, stale = _existing(target, key)
    if header is not None and not overwrite:
        yield clip.num_frames
        return Annotated(target, header, done_before=True)
    if folder is not None:
        make_folder(folder)
    with write_sidecar(target) as writer:
        header = yield from write(writer)
        writer.finish(header)
    return Annotated(target, header, done_before=False, stale=stale)


def make_folder(folder: Path) -> None:
    """Make a folder for sidecars, if there is none. Raises ``UserError`` when it cannot be, or be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise explain(folder, error) from error
    if not os.access(folder, os.W_OK):
        raise UserError(f"{folder}: nothing can be written into this folder; choose another place")


def _existing(target: Path, key: Key) -> tuple[Header | None, str]:
    """Read the header of a sidecar that may be used as it is; else say why one that is there may not."""
    try:
        with Sidecar(target, key) as sidecar:
            return sidecar.header, ""
    except OSError:
        return None, ""  # there is none; if none can be there, writing says why
    except SidecarError as error:
        return None, str(error)
