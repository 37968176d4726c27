"""The clips that a list names: a CSV file with a header, or JSON lines."""

from __future__ import annotations

import csv
import logging
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from animate import safe_json
from animate.data.clips import ExcerptSource
from animate.data.collection import without_collection
from animate.data.index import SPLITS, Clip, Learner, Split, checked_strip_size, corrected, refuse_too_many
from animate.data.index_cache import CACHE_NAME, IndexCache
from animate.data.layouts import Facts, Found, Layout, Strip, layout_of
from animate.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

REQUIRED = ("path", "split")
OPTIONAL = ("subject", "start", "stop")
_JSON_SUFFIXES = frozenset({".jsonl", ".ndjson", ".json"})
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a manifest."""

    where: str
    """File and line, for messages."""
    path: Path
    split: Split
    subject: str | None
    start: int
    """The first frame of the clip."""
    stop: int | None
    """The frame after its last; None for all."""
    name: str
    """The path as it stands in the list, with the range where there is one; also the clip's name."""


class ManifestIndex:
    """The clips that a manifest names.

    CSV with a header, or one JSON object per line (``.jsonl``, ``.ndjson``, ``.json``). Columns: ``path``
    (a video, a folder of frames or a strip), ``split`` (train, val or test), and optionally ``subject``,
    ``start`` and ``stop`` (frame numbers, ``stop`` not included). Other columns are passed over with a
    warning.

    Args:
        path: The list.
        root: What relative paths are relative to; the list's own folder without it.
        strip_size: (height, width) of a frame in strips; square frames without it.
        max_broken_share: Up to this share of the clips may be broken; they stand in :attr:`problems`.

    Raises:
        UserError: The list is missing or malformed (file and line are named), or too many of the clips are
            missing, broken or shorter than the range that is asked for.

    """

    @without_collection()
    def __init__(
        self,
        path: str | Path,
        root: str | Path | None = None,
        *,
        strip_size: Sequence[int] | None = None,
        max_broken_share: float = 0.1,
    ) -> None:
        self.path = Path(path).expanduser()
        self.root = Path(root).expanduser() if root is not None else self.path.parent
        self._strip = Strip(checked_strip_size(strip_size))
        cache = IndexCache(self.root, f"{CACHE_NAME}.{self.path.name}.json", settings=str(self._strip))
        self._learn = Learner(cache, self._key)
        self._row_problems: list[str] = []
        rows = [row for row in read_rows(self.path, self.root) if self._is_there(row)]
        places = {row.path: Found(row.path, self._layout(row)) for row in rows}
        facts = self._learn(list(places.values()))
        self._clips: dict[Split, list[Clip]] = {split: [] for split in SPLITS}
        for row in rows:
            if row.path in facts and self._is_inside(row, facts[row.path]):
                self._clips[row.split].append(_clip(row, places[row.path], facts[row.path]))
        self._check_names()
        refuse_too_many(self.problems, sum(map(len, self._clips.values())), max_broken_share, str(self.path))

    @property
    def problems(self) -> Sequence[str]:
        """See :class:`ClipIndex`."""
        return [*self._row_problems, *self._learn.problems, *self._learn.not_strips]

    @property
    def ignored(self) -> Sequence[str]:
        """Nothing: what a list names is meant to be used."""
        return ()

    @property
    def splits(self) -> tuple[Split, ...]:
        """The splits that have clips of their own."""
        return tuple(split for split in SPLITS if self._clips[split])

    @property
    def is_flat(self) -> bool:
        """False: a list always has splits."""
        return False

    @property
    def by_split(self) -> Mapping[Split, Sequence[Clip]]:
        """The clips of each split; there may be none."""
        return self._clips

    def clips(self, split: Split) -> Sequence[Clip]:
        """List the clips of a split in the list's order; without any for ``val`` those of ``test``."""
        found = self._clips[split] or (self._clips["test"] if split == "val" else [])
        if not found:
            raise UserError(
                f"{self.path}: no clip of split '{split}'; the column split says {list(self.splits)}"
            )
        return found

    def correct(self, counts: Mapping[Path, int]) -> None:
        """Take the frame counts that decoding has shown, by path, and keep them in the cache."""
        for split, clips in self._clips.items():
            self._clips[split] = [
                corrected(c, counts[c.path], self._learn) if c.path in counts else c for c in clips
            ]
        self._learn.cache.save()

    def _key(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix() if path.is_relative_to(self.root) else path.as_posix()

    def _layout(self, row: Row) -> Layout:
        layout = layout_of(row.path, self._strip)
        if layout is None:
            raise UserError(f"{row.where}: '{row.name}' is no video, strip or folder of frames")
        return layout

    def _is_there(self, row: Row) -> bool:
        if not row.path.exists():
            self._row_problems.append(f"{row.where}: '{row.path}' is not there")
        return row.path.exists()

    def _is_inside(self, row: Row, facts: Facts) -> bool:
        start, stop = _range(row, facts)
        inside = start < stop <= facts.num_frames
        if not inside:
            wanted = f"frames {start} to {stop} of '{row.path}'"
            self._row_problems.append(f"{row.where}: {wanted}, which has {facts.num_frames}")
        return inside

    def _check_names(self) -> None:
        for split, clips in self._clips.items():
            twice = [name for name, count in Counter(clip.name for clip in clips).items() if count > 1]
            if twice:
                raise UserError(f"{self.path}: '{twice[0]}' stands more than once in split '{split}'")


def _range(row: Row, facts: Facts) -> tuple[int, int]:
    return row.start, facts.num_frames if row.stop is None else row.stop


def _clip(row: Row, found: Found, facts: Facts) -> Clip:
    start, stop = _range(row, facts)
    whole = found.layout.source(facts)
    source = (
        whole if (start, stop) == (0, facts.num_frames) else ExcerptSource(whole, start, facts.num_frames)
    )
    subject = row.subject or row.name
    return Clip(row.name, subject, row.path, stop - start, facts.exact, facts.fps, facts.size, source)


def read_rows(path: Path, root: Path) -> Iterator[Row]:
    """Parse a manifest. Raises ``UserError`` naming file and line for the first line that is wrong."""
    records = list(_records(path))
    if not records:
        columns = ", ".join(REQUIRED)
        raise UserError(f"{path}: the list is empty; it needs the columns {columns} and a line per clip")
    unknown = sorted({str(key) for _, record in records for key in record} - {*REQUIRED, *OPTIONAL})
    if unknown:
        _log.warning("%s: columns not used: %s", path, ", ".join(unknown))
    for line, record in records:
        yield _row(f"{path}, line {line}", record, root)


def _records(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Line numbers with their values. A spreadsheet's byte order mark is passed over."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            is_json = path.suffix.lower() in _JSON_SUFFIXES
            yield from _json_records(path, file) if is_json else _csv_records(path, file)
    except OSError as error:
        raise UserError(
            f"{path}: cannot be read: {error.strerror}; give the path of a CSV or JSON-lines list"
        ) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path}: is no CSV or JSON-lines text in UTF-8: {error}") from error


def _json_records(path: Path, lines: Iterator[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            record = safe_json.loads(line)
        except ValueError as error:
            raise UserError(f"{path}, line {number}: is not JSON: {error}") from error
        if not isinstance(record, dict):
            raise UserError(
                f'{path}, line {number}: is not an object like {{"path": "a.mp4", "split": "train"}}'
            )
        yield number, record


def _csv_records(path: Path, lines: Iterator[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    reader = csv.DictReader(lines, skipinitialspace=True, strict=True)
    for column in REQUIRED if reader.fieldnames else ():
        if column not in (reader.fieldnames or ()):
            raise UserError(f"{path}, line 1: the header has no column '{column}': {reader.fieldnames}")
    for record in reader:
        if None in record or None in record.values():
            raise UserError(
                f"{path}, line {reader.line_num}: has not as many values as the header has columns"
            )
        yield reader.line_num, record


def _row(where: str, record: Mapping[str, Any], root: Path) -> Row:
    text, split = record.get("path"), record.get("split")
    if not isinstance(text, str) or not text:
        raise UserError(f"{where}: no path")
    if split not in SPLITS:
        raise UserError(f"{where}: split is {split!r}, not one of {', '.join(SPLITS)}")
    try:
        path = root / Path(text).expanduser()
    except RuntimeError as error:
        raise UserError(f"{where}: {text}: {error}") from error
    subject = record.get("subject")
    start, stop = _frame(where, record, "start"), _frame(where, record, "stop")
    name = text if start is None and stop is None else f"{text}@{start or 0}-{'' if stop is None else stop}"
    return Row(
        where, path, split, str(subject) if subject not in (None, "") else None, start or 0, stop, name
    )


def _frame(where: str, record: Mapping[str, Any], column: str) -> int | None:
    value = record.get(column)
    if value is None or value == "":
        return None
    try:
        number = int(value)
        if number < 0 or (isinstance(value, float) and not value.is_integer()):
            raise ValueError
    except (TypeError, ValueError, OverflowError):
        raise UserError(f"{where}: {column} is {value!r}, not a frame number") from None
    return number
