"""A disk that is full while TensorBoard writes: one line, no traceback, and the first failure counts."""

from __future__ import annotations

import errno
import itertools
import os
import threading

import pytest
from tensorboard.summary.writer.record_writer import RecordWriter

from animate.errors import UserError
from animate.training import app, main
from animate.training.callbacks.checkpoints import Checkpoints
from cli import TINY

pytestmark = pytest.mark.usefixtures("workplace")


@pytest.mark.parametrize("records", [0, 1, 6])
def test_a_disk_that_is_full_for_tensorboard_is_one_line(capfd, monkeypatch, records) -> None:
    """Its thread writes; 0 fails when the log is opened, 1 in its first flush, 6 while training."""
    count, write = itertools.count(), RecordWriter.write

    def full(self, data) -> None:
        if next(count) >= records:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write(self, data)

    printed: list[threading.ExceptHookArgs] = []
    monkeypatch.setattr(threading, "excepthook", printed.append)
    monkeypatch.setattr(RecordWriter, "write", full)
    with pytest.raises(SystemExit) as stopped:
        main([*TINY, "logger=tensorboard"])
    assert stopped.value.code == 2
    (line,) = [line for line in capfd.readouterr().err.splitlines() if line.startswith("animate: ")]
    assert "No space left on device" in line
    assert not printed, "a traceback of the writing thread"
    assert threading.excepthook == printed.append


@pytest.mark.parametrize(
    "error", [UserError("cannot write best.ckpt"), SystemExit(130)], ids=["error", "signal"]
)
def test_what_failed_first_is_told_not_what_tensorboard_cannot_write_then(monkeypatch, capfd, error) -> None:
    def full(*_) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def fail(*_) -> None:
        monkeypatch.setattr(RecordWriter, "flush", full)
        raise error

    monkeypatch.setattr(Checkpoints, "save_last", fail)
    with pytest.raises(SystemExit) as stopped:
        main([*TINY, "logger=tensorboard"])
    assert stopped.value.code == (2 if isinstance(error, UserError) else 130)
    told = [line for line in capfd.readouterr().err.splitlines() if line.startswith("animate: ")]
    assert told == [f"animate: error: {error}"] * isinstance(error, UserError)


def test_threads_of_others_are_told(monkeypatch) -> None:
    printed: list[threading.ExceptHookArgs] = []
    monkeypatch.setattr(threading, "excepthook", printed.append)

    def fail() -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def task(_config) -> None:
        thread = threading.Thread(target=fail)
        thread.start()
        thread.join()

    app.launch(task, "train", TINY)
    assert [failure.exc_type for failure in printed] == [OSError]
