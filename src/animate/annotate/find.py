"""What there is to annotate or to crop under a path: clips, each file once, and single pictures."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from animate.data.clips import ExcerptSource, StripSource
from animate.data.frame_files import is_picture, list_frames, upright_size
from animate.data.index import Clip, FolderIndex, NoClipsError
from animate.data.layouts import PICTURE_FPS, Container, FrameFolder, Layout, NotAStripError, Strip, layout_of
from animate.data.manifest import ManifestIndex
from animate.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

LISTS = frozenset({".csv", ".jsonl", ".ndjson", ".json"})


class Places(NamedTuple):
    """What was found."""

    clips: list[Clip]
    """Whole files and frame folders, each once, in order."""
    problems: list[str]
    """What should be a clip but cannot be read: ``name: reason``."""


def find_clips(path: Path) -> Places:
    """Find the clips of a data folder, a folder of clips, a list, or one file or frame folder.

    A folder that holds pictures, none of them a strip, and nothing else is one clip with a frame per
    picture. A picture that is no strip is a clip of one frame. Of a list with ranges the whole files are
    taken.

    Raises:
        UserError: the path is not there, or there is no clip.

    """
    if path.is_dir():
        return _in_folder(path)
    if path.suffix.lower() in LISTS:
        index = ManifestIndex(path, max_broken_share=1.0)
        return Places(_each_once(c for part in index.by_split.values() for c in part), list(index.problems))
    return Places([_one(path)], [])


def _in_folder(folder: Path) -> Places:
    paths = [path for path in folder.iterdir() if not path.name.startswith(".")]
    if paths and not any(path.is_dir() for path in paths) and any(is_picture(p.name) for p in paths):
        others = [p for p in paths if layout_of(p, Strip()) is not None and not is_picture(p.name)]
        if not others and not any(map(_is_strip, list_frames(folder))):
            return Places([_clip(folder, FrameFolder())], [])
    try:
        index = FolderIndex(folder, max_broken_share=1.0, flat="test")
    except NoClipsError as error:
        raise UserError(_no_clips(folder, error.problems)) from error
    several = len(index.splits) > 1
    clips = [
        replace(clip, name=f"{split}/{clip.name}" if several else clip.name)
        for split, part in index.by_split.items()
        for clip in part
    ]
    return Places(_each_once(clips), list(index.problems))


def _no_clips(folder: Path, problems: Sequence[str]) -> str:
    if not problems:
        return f"{folder}: no video, folder of frames or picture in it; check the name"
    return f"{folder}: none of its {len(problems)} clips can be read; the first: {problems[0]}"


def _is_strip(path: Path) -> bool:
    try:
        Strip().facts(path)
    except UserError:
        return False
    return True


def _one(path: Path) -> Clip:
    if not path.exists():
        raise UserError(f"{path}: no such file or folder; check the name")
    layout = layout_of(path, Strip())
    if layout is None:
        layout = Container()  # whatever it is called: the file itself tells, or says why not
    try:
        return _clip(path, layout)
    except NotAStripError:
        return Clip(path.name, path.name, path, 1, True, PICTURE_FPS, upright_size(path), StripSource())


def _clip(path: Path, layout: Layout) -> Clip:
    facts = layout.facts(path)
    source = layout.source(facts)
    return Clip(path.name, path.name, path, facts.num_frames, facts.exact, facts.fps, facts.size, source)


def _each_once(clips: Iterable[Clip]) -> list[Clip]:
    """Take whole files, each once, in the order of their first mention."""
    found: dict[Path, Clip] = {}
    for clip in clips:
        found.setdefault(clip.path, _whole(clip))
    return list(found.values())


def _whole(clip: Clip) -> Clip:
    if not isinstance(clip.reader, ExcerptSource):
        return clip
    name = clip.name.rsplit("@", 1)[0]
    return replace(clip, name=name, num_frames=clip.reader.whole, reader=clip.reader.source)
