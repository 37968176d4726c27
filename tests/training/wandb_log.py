"""Reads the ``.wandb`` file of an offline run: protobuf records in LevelDB's log format."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import wandb
from wandb.proto import wandb_internal_pb2 as proto

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_BLOCK = 32 * 1024
_FILE_HEADER = 7  # ":W&B", a magic number, a version
_RECORD_HEADER = 7  # checksum (4), length (2), type (1)
_FULL, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4


def payloads(content: bytes) -> Iterator[bytes]:
    """The records of a log, put together where they cross blocks of 32 KiB."""
    assert content.startswith(b":W&B")
    position, record = _FILE_HEADER, b""
    while position + _RECORD_HEADER <= len(content):
        left = _BLOCK - position % _BLOCK
        if left < _RECORD_HEADER:
            position += left  # the end of a block that no header fits into
            continue
        length = int.from_bytes(content[position + 4 : position + 6], "little")
        kind = content[position + 6]
        data = content[position + _RECORD_HEADER : position + _RECORD_HEADER + length]
        position += _RECORD_HEADER + length
        assert kind in (_FULL, _FIRST, _MIDDLE, _LAST)
        record = data if kind in (_FULL, _FIRST) else record + data
        if kind in (_FULL, _LAST):
            yield record


class WandbLog:
    """What one offline run has logged."""

    def __init__(self, run_folder: Path) -> None:
        wandb.teardown()  # ends the process that writes the file, which may be a little behind
        (self.folder,) = sorted(run_folder.glob("wandb/offline-run-*"))
        (path,) = self.folder.glob("*.wandb")
        self.records = [_parsed(payload) for payload in payloads(path.read_bytes())]

    def of(self, kind: str) -> list:
        return [getattr(record, kind) for record in self.records if record.WhichOneof("record_type") == kind]

    @property
    def config(self) -> dict:
        updates = [update for run in self.of("run") for update in run.config.update]
        updates += [update for config in self.of("config") for update in config.update]
        return {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in updates}

    @property
    def history(self) -> list[dict]:
        return [
            {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in row.item}
            for row in self.of("history")
        ]

    @property
    def summary(self) -> dict:
        updates = [update for summary in self.of("summary") for update in summary.update]
        return {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in updates}


def _parsed(payload: bytes) -> proto.Record:
    record = proto.Record()
    record.ParseFromString(payload)
    return record
