"""``--box`` and ``--driving-box`` of ``animate drive``: given in pixels, or found by a back-end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from animate.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path

    from animate.pipelines.framing import Box

FOUND = "face, person, or either with a back-end (face:dlib, person:puppet)"


def box(option: str, text: str | None, path: Path, start: int = 0, stop: int | None = None) -> Box | None:
    """Read a box, or find the one square that holds the main figure of a picture or clip over the range.

    What is found is kept as by ``animate annotate``, so a second run does not look again.

    Args:
        option: for messages.
        text: ``x,y,width,height``, ``face``, ``person``, ``face:BACKEND`` or ``person:BACKEND``.
        path: the picture or the clip.
        start: the first frame that is used.
        stop: the frame before which to stop; None: the end.

    Raises:
        UserError: the text is none of these, or nothing is found.

    """
    from animate.cli.crop import WHAT

    what, _, backend = (text or "").partition(":")
    if what in WHAT:
        return _found(option, what, backend, path, start, stop)
    return None if text is None else _given(option, text)


def _given(option: str, text: str) -> Box:
    from animate.pipelines.framing import Box

    try:
        return Box.parse(text)
    except (TypeError, ValueError):
        raise UserError(
            f"{option} {text}: give x,y,width,height in whole pixels, such as 40,0,512,512; or {FOUND}"
        ) from None


def _found(option: str, what: str, backend: str, path: Path, start: int, stop: int | None) -> Box:
    from animate.annotate.find import find_clips
    from animate.annotate.runner import Job
    from animate.annotate.tubes import boxes_by_frame
    from animate.cli.annotate import annotate
    from animate.cli.crop import WHAT
    from animate.pipelines.clip_box import clip_box
    from animate.sidecars import Sidecar, cache_folder

    clips, problems = find_clips(path)
    if len(clips) != 1:
        raise UserError(f"{option} {what}: {path} is not one clip{''.join(f'; {p}' for p in problems[:1])}")
    outcome = annotate(Job(WHAT[what].kind, backend or WHAT[what].backend, cache_folder()), clips, 1)
    if not outcome.done:
        raise UserError(f"{option} {what}: {outcome.failed[0]}")
    with Sidecar(outcome.done[0].path) as sidecar:
        boxes, size = boxes_by_frame(sidecar)[start:stop], sidecar.header.size
    found = clip_box(boxes, size, WHAT[what].margin)
    if found is None:
        raise UserError(
            f"{option} {what}: {outcome.backend.name} finds none in {path}; give x,y,width,height in pixels"
        )
    seen = sum(len(each) > 0 for each in boxes)
    print(f"{option} {','.join(map(str, found))}: {what} seen in {seen} of {len(boxes)} frames of {path}")
    return found
