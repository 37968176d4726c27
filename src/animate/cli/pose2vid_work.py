"""The folder of ``animate pose2vid run``: what is done, by whom, and the trainings in it."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any, Self

from animate import safe_json
from animate.errors import UserError
from animate.locks import HAS_LOCKS, in_turn

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

NOTES = "run.json"
SAVE_EVERY = 640
"""Steps after which a training is saved also inside of an epoch."""


class StoppedError(Exception):
    """A stage ended without a result, and has told why: the exit code to leave with."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Work:
    """What a run has done so far, and of what; kept in ``run.json``. Made by :meth:`begin`."""

    def __init__(self, folder: Path, notes: dict[str, dict[str, Any]], lock: IO[str]) -> None:
        self.folder = folder
        self._notes = notes
        self._lock = lock

    @classmethod
    @contextmanager
    def begin(cls, folder: Path) -> Iterator[Self]:
        """Take a folder that is new, empty, or that of an earlier run, for oneself alone.

        Waits for another run that is at work in it, or for its training that is still being saved.

        Raises:
            UserError: it holds something else, or cannot be made.

        """
        from animate.video.results import parents

        _check(folder)
        with parents(folder):
            folder.mkdir(exist_ok=True)
        with in_turn(folder / ".lock", f"{folder}: waiting for another run in it to end") as lock:
            notes = _read(folder / NOTES)
            work = cls(folder, notes, lock)
            work._write()
            yield work

    def is_done(self, stage: str, of: Mapping[str, Any]) -> bool:
        """Tell whether a stage is complete, and was made of this."""
        note = self._notes.get(stage, {})
        return bool(note.get("done")) and note.get("of") == _plain(of)

    def is_other(self, stage: str, of: Mapping[str, Any]) -> bool:
        """Tell whether a stage is complete, but was made of something else."""
        return bool(self._notes.get(stage, {}).get("done")) and not self.is_done(stage, of)

    def how_far(self, stage: str, of: Mapping[str, Any]) -> str:
        """Say in words how far a training is."""
        if self.is_done(stage, of):
            return "done before"
        last = newest(self._outputs(stage, of))
        return f"goes on from {last}" if last else "begins"

    def note(self, stage: str, of: Mapping[str, Any], *, done: bool, **more: str) -> None:
        """Remember that a stage has begun, or is complete."""
        self._notes[stage] = {"of": _plain(of), "done": done, **more}
        self._write()

    def trained(self, stage: str, of: Mapping[str, Any], overrides: Sequence[str]) -> Path:
        """Train, or go on with a training that was stopped, or take one that is complete.

        A training of something else that is there stays; the new one has a folder of its own.

        Args:
            stage: ``training`` or ``face``.
            of: what it is made of.
            overrides: as for ``animate train``.

        Returns:
            The checkpoint.

        Raises:
            StoppedError: it was stopped, or has found something wrong and told so.
            UserError: the process was killed.

        """
        outputs = self._outputs(stage, of)
        last = newest(outputs)
        if last is not None and self.is_done(stage, of):
            return last
        self.note(stage, of, done=False, folder=outputs.name)
        settings = [*overrides, f"paths.outputs={quoted(outputs)}"]
        settings += [f"resume={quoted(last.parents[1])}"] if last else []
        self._attend(settings)
        last = newest(outputs)
        if last is None:
            raise UserError(f"{outputs}: the training has ended without a checkpoint")
        self.note(stage, of, done=True, folder=outputs.name)
        return last

    def _outputs(self, stage: str, of: Mapping[str, Any]) -> Path:
        """Name the folder of a training: the one that was begun, or a new one."""
        note = self._notes.get(stage, {})
        if note.get("of") == _plain(of):
            return self.folder / str(note["folder"])
        names = (stage, *(f"{stage}_{number}" for number in range(2, 1000)))
        return next(path for name in names if not (path := self.folder / name).exists())

    def _attend(self, overrides: Sequence[str]) -> None:
        """Run a training in a process of its own, which ends when this one does."""
        held = [self._lock.fileno()] if HAS_LOCKS else []  # until the training has ended, too
        command = [sys.executable, "-m", "animate.cli.attended", *overrides]
        with subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=held) as process:
            try:
                code = process.wait()
            finally:
                assert process.stdin is not None
                process.stdin.close()
                process.wait()  # until it has saved, after Ctrl-C too
        if code < 0:
            raise UserError(
                f"the training was ended by signal {-code} (9 is often a lack of memory); started again, this"
                " command goes on from what it has saved"
            )
        if code:
            raise StoppedError(code)

    def _write(self) -> None:
        from animate.video.atomic import temporary_file

        with temporary_file(self.folder / NOTES) as temporary:
            temporary.write_text(json.dumps(self._notes, indent=1) + "\n", "utf-8")


def newest(outputs: Path) -> Path | None:
    """Find the last checkpoint of the newest run in a folder."""
    found = list(outputs.glob("*/*/checkpoints/last.ckpt"))
    return max(found, key=lambda path: path.stat().st_mtime_ns, default=None)


def quoted(path: Path) -> str:
    """Write a path as a value of an override, whatever characters it holds."""
    text = str(path.resolve()).replace("'", "\\'")
    return f"'{text}'"


def _plain(of: Mapping[str, Any]) -> Any:
    """Bring values to what JSON gives back."""
    return json.loads(json.dumps(of))


def _check(folder: Path) -> None:
    from animate.video.results import check_folder

    if not (folder / NOTES).is_file():
        there = [path.name for path in folder.iterdir() if path.name != ".lock"] if folder.is_dir() else []
        if there or not folder.is_dir():
            check_folder(folder, overwrite=False)


def _read(path: Path) -> dict[str, dict[str, Any]]:
    if not path.is_file():
        return {}
    try:
        notes = safe_json.loads(path.read_text("utf-8"))
        return {str(stage): dict(note) for stage, note in notes.items()}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise UserError(f"{path} is damaged ({error}); name another folder") from error
