"""How the frames of clips are stored: numbers measured on other codecs are other numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from animate.data.clips import ContainerSource, ExcerptSource, FrameFolderSource, StripSource
from animate.data.pairs import look_at
from animate.data.store.reader import StoreSource
from animate.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from animate.data.index import Clip

_FILES = (ContainerSource, FrameFolderSource, StripSource)


def codecs_of(clips: Iterable[Clip]) -> list[str]:
    """Name the codecs of clips, or the suffixes of their pictures; ``drawn`` where there is no file.

    One clip of each suffix is looked at.
    """
    by_suffix = {(type(_source(clip)), clip.path.suffix.lower()): clip for clip in clips}
    return sorted({codec for clip in by_suffix.values() for codec in _codecs(clip)})


def _source(clip: Clip) -> object:
    return clip.reader.source if isinstance(clip.reader, ExcerptSource) else clip.reader


def _codecs(clip: Clip) -> tuple[str, ...]:
    source = _source(clip)
    if isinstance(source, StoreSource):
        return (source.codec,)
    if not isinstance(source, _FILES):
        return ("drawn",)
    try:
        return look_at(clip.path).codecs
    except UserError:  # the evaluation itself says what is wrong with it
        return ()
