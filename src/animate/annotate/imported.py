"""Poses and mattes that other programs have made, put into sidecars beside those of our own back-ends."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

from animate.annotate.importers import read_mattes
from animate.annotate.kinds import PointRecorder
from animate.annotate.pose_files import read_poses
from animate.annotate.runner import into_sidecar
from animate.data.annotations import content_of
from animate.data.frame_files import list_frames
from animate.data.layouts import VIDEO_SUFFIXES
from animate.errors import UserError
from animate.sidecars import Header, Key, digest

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    from animate.annotate.runner import Annotated
    from animate.data.index import Clip
    from animate.sidecars import SidecarWriter

VERSION = "1"
"""Counts changes of how files are read."""


class Imported(NamedTuple):
    """What a file said of a clip."""

    found: int
    """In how many frames there is something."""
    layout: str


class Importer(NamedTuple):
    """How annotations of a kind are read."""

    suffixes: frozenset[str]
    """Of the files that hold them; folders may, too."""
    write: Callable[[Path, Clip, SidecarWriter], Imported]
    """Reads what belongs to a clip into its sidecar."""


def _poses(path: Path, clip: Clip, writer: SidecarWriter) -> Imported:
    pose = read_poses(path, clip.size, clip.num_frames)
    for name in PointRecorder.ARRAYS:
        writer.add(name, getattr(pose, name))
    return Imported(int(pose.found.any(axis=1).sum()), pose.layout)


def _mattes(path: Path, clip: Clip, writer: SidecarWriter) -> Imported:
    mattes = read_mattes(path, clip.size, clip.num_frames)
    return Imported(sum(writer.add_matte(number, matte) for number, matte in enumerate(mattes)), "")


IMPORTERS: Mapping[str, Importer] = {
    "pose": Importer(frozenset({".json", ".npz", ".npy"}), _poses),
    "mattes": Importer(VIDEO_SUFFIXES, _mattes),
}
"""By the kind of annotation."""


@dataclass(frozen=True, slots=True)
class ImportJob:
    """What is to be done to every clip, as ``runner.Job``, where a file is read instead of the pictures.

    Args:
        kind: the name of a kind of annotation.
        source: the file of the only clip; or a folder with one for each clip, see :func:`find_source`.
        only: whether there is only one clip.
        folder: where sidecars go, by content; None: beside each clip.
        overwrite: read anew what has been imported before.

    """

    kind: str
    source: Path
    only: bool
    folder: Path | None = None
    overwrite: bool = False

    def __call__(self) -> ClipImporter:
        """Get ready. Raises ``UserError`` when annotations of this kind cannot be imported."""
        if self.kind not in IMPORTERS:
            raise UserError(f"{self.kind} cannot be imported, only {' and '.join(IMPORTERS)}")
        if not self.source.exists():
            raise UserError(f"{self.source}: no such file or folder; check the name")
        return ClipImporter(self)


@dataclass(frozen=True, slots=True)
class Files:
    """Stands for the back-end: whoever made the files."""

    name: str = "imported"
    version: str = VERSION


class ClipImporter:
    """Imports the annotations of one clip after the other."""

    def __init__(self, job: ImportJob) -> None:
        self._job, self._importer = job, IMPORTERS[job.kind]
        self.backend = Files()

    def __call__(self, clip: Clip) -> Generator[int, None, Annotated]:
        """Import what belongs to a clip. A sidecar is out of date when the clip or that file has changed.

        Raises:
            UserError: nothing belongs to the clip, it cannot be read or does not fit, or the sidecar cannot
                be written.

        """
        job = self._job
        source = find_source(job.source, clip, job.only, self._importer.suffixes)
        version = f"{VERSION} {digest(_files(source))}"
        key = Key(job.kind, self.backend.name, version, content_of(clip.path))

        def write(writer: SidecarWriter) -> Generator[int, None, Header]:
            found, layout = self._importer.write(source, clip, writer)
            yield clip.num_frames
            return Header(key, clip.num_frames, clip.size, found, layout)

        return (yield from into_sidecar(key, clip, job.folder, job.overwrite, write))


def _files(source: Path) -> list[Path]:
    if not source.is_dir():
        return [source]
    return list_frames(source) or sorted(path for path in source.iterdir() if path.is_file())


def find_source(source: Path, clip: Clip, only: bool, suffixes: frozenset[str]) -> Path:
    """Find what belongs to a clip.

    In a folder it is the file or folder of the clip's name, whatever the suffix, or the one that begins with
    that name and an underscore; in the folder of the clip's split, if there is one.

    Args:
        source: a file, or a folder.
        clip: its name may have its split before it, as in ``train/anna.mp4``.
        only: whether it is the only one: then the source may be its file, or its folder of files.
        suffixes: of the files that come into question.

    Raises:
        UserError: there is nothing or more than one.

    """
    if source.is_dir():
        name = PurePosixPath(clip.name)
        split = source / name.parent
        found = _named(split if split.is_dir() else source, name, suffixes)
        if len(found) > 1:
            raise UserError(f"{source}: several belong to {clip.name}: {', '.join(p.name for p in found)}")
        if found:
            return found[0]
    if only:
        return source
    kind = "nothing in it belongs to" if source.is_dir() else "is one file and not a folder with one for"
    raise UserError(f"{source}: {kind} {clip.name}; name it {PurePosixPath(clip.name).stem}.* there")


def _named(folder: Path, name: PurePosixPath, suffixes: frozenset[str]) -> list[Path]:
    fitting = [path for path in sorted(folder.iterdir()) if path.is_dir() or path.suffix.lower() in suffixes]
    exact = [path for path in fitting if name.name == path.name or name.stem == _stem(path)]
    return exact or [path for path in fitting if path.name.startswith(f"{name.stem}_")]


def _stem(path: Path) -> str:
    return path.name if path.is_dir() else path.stem
