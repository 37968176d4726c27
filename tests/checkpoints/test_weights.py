"""Pretrained files against a local file server: right, wrong, cut short, absent and unreachable."""

from __future__ import annotations

import hashlib
import re
import signal
import socket
import subprocess
import sys
import time
from dataclasses import asdict
from functools import partial
from http.server import SimpleHTTPRequestHandler
from typing import TYPE_CHECKING, ClassVar

import pytest

from animate.checkpoints import weights
from animate.errors import UserError
from local_server import serve

if TYPE_CHECKING:
    from pathlib import Path

CONTENT = bytes(range(256)) * 8192  # 2 MiB: more than one chunk
NAME = "net-0a1b.pth"


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


class CutShort(Quiet):
    """Promises the whole file, sends half of it and hangs up."""

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        self.wfile.write(CONTENT[: len(CONTENT) // 2])


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The cache, empty; no proxies, so that the local server is reached directly."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv(weights.FOLDER_VARIABLE, raising=False)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return tmp_path / "cache" / "animate" / "weights"


@pytest.fixture
def server(tmp_path):
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / NAME).write_bytes(CONTENT)
    yield from serve(partial(Quiet, directory=str(shared)))


def entry(server: str, **changes) -> weights.PretrainedFile:
    values = {
        "file_name": NAME,
        "address": f"{server}/{NAME}",
        "sha256": hashlib.sha256(CONTENT).hexdigest(),
        "size": len(CONTENT),
        "licence": "none",
        "without": "perceptual=random",
    }
    return weights.PretrainedFile(**(values | changes))


def refusal(file: weights.PretrainedFile) -> str:
    with pytest.raises(UserError) as caught:
        weights.fetch_file(file, progress=False)
    message = str(caught.value)
    assert "\n" not in message
    return message


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".lock")


def test_downloads_once_then_serves_from_the_cache(folder, server, capfd):
    path = weights.fetch_file(entry(server))
    assert path == folder / NAME
    assert path.read_bytes() == CONTENT
    assert left_in(folder) == [NAME]
    assert NAME in capfd.readouterr().err  # the progress bar names the file
    assert weights.fetch_file(entry("http://127.0.0.1:9")) == path  # nobody listens there


class Slow(Quiet):
    """Counts how often it is asked, and takes its time."""

    asked: ClassVar[list[str]] = []

    def do_GET(self):
        self.asked.append(self.path)
        time.sleep(1)
        super().do_GET()


def test_of_several_processes_one_downloads_and_the_others_wait(folder, tmp_path):
    (tmp_path / NAME).write_bytes(CONTENT)
    for address in serve(partial(Slow, directory=str(tmp_path))):
        values = {**asdict(entry(address))}
        fetch = (
            f"from animate.checkpoints import weights as w; print(w.fetch_file(w.PretrainedFile(**{values})))"
        )
        running = [
            subprocess.Popen([sys.executable, "-c", fetch], stdout=subprocess.PIPE, text=True)
            for _ in range(3)
        ]
        found = [process.communicate(timeout=120)[0].strip() for process in running]
    assert found == [str(folder / NAME)] * 3
    assert Slow.asked == [f"/{NAME}"]


def test_a_process_that_was_killed_holds_no_lock(folder, server):
    folder.mkdir(parents=True)
    place = str(folder / f".{NAME}.lock")
    hold = (
        "import os, pathlib, signal; from animate.locks import in_turn\n"
        f"with in_turn(pathlib.Path({place!r}), ''): os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert subprocess.run([sys.executable, "-c", hold], check=False).returncode == -signal.SIGKILL
    assert weights.fetch_file(entry(server), progress=False) == folder / NAME


def test_a_named_folder_comes_before_the_cache(folder, server, tmp_path, monkeypatch):
    weights.fetch_file(entry(server), progress=False)
    own = tmp_path / "own weights"
    own.mkdir()
    (own / NAME).write_bytes(CONTENT)
    monkeypatch.setenv(weights.FOLDER_VARIABLE, str(own))
    assert weights.fetch_file(entry(server), progress=False) == own / NAME


def test_a_wrong_file_in_the_named_folder_is_refused(folder, server, tmp_path, monkeypatch):
    (tmp_path / NAME).write_bytes(CONTENT[:-1] + b"!")
    monkeypatch.setenv(weights.FOLDER_VARIABLE, str(tmp_path))
    message = refusal(entry(server))
    assert str(tmp_path / NAME) in message
    assert "SHA-256" in message


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"sha256": "0" * 64}, "SHA-256 starts with [0-9a-f]{8} instead of 00000000"),
        ({"size": 17}, "more than 17 bytes"),
        ({"size": len(CONTENT) + 1}, f"{len(CONTENT)} bytes instead of {len(CONTENT) + 1}"),
    ],
)
def test_what_is_not_the_file_is_thrown_away(folder, server, changes, reason):
    message = refusal(entry(server, **changes))
    assert re.search(reason, message)
    assert left_in(folder) == []


class Elsewhere(Quiet):
    """Points to an address that anybody on the way could answer for."""

    def do_GET(self):
        self.send_response(302)
        self.send_header("Location", f"http://weights.example.invalid/{NAME}")
        self.end_headers()


def test_a_download_is_not_led_out_of_https(folder):
    for address in serve(Elsewhere):
        assert "(http://weights.example.invalid is not https)" in refusal(entry(address))
    assert left_in(folder) == []


@pytest.mark.parametrize("scheme", ["http", "ftp", "file"])
def test_only_https_is_downloaded_from(folder, monkeypatch, scheme):
    def opened(*_args, **_kwargs):
        raise AssertionError("the address was asked")

    monkeypatch.setattr(socket, "create_connection", opened)
    message = refusal(entry(f"{scheme}://weights.example.invalid"))
    assert f"({scheme}://weights.example.invalid is not https)" in message
    assert left_in(folder) == []


def test_a_download_cut_short_is_thrown_away(folder):
    for address in serve(CutShort):
        message = refusal(entry(address))
    assert f"{len(CONTENT) // 2} bytes instead of {len(CONTENT)}" in message
    assert left_in(folder) == []


def test_every_way_on_is_named_when_the_file_is_not_there(folder, server):
    message = refusal(entry(server, address=f"{server}/elsewhere.pth"))
    assert "404" in message
    assert str(folder / NAME) in message
    assert weights.FOLDER_VARIABLE in message
    assert "perceptual=random" in message


def test_a_refused_connection_is_told(folder):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # taken, but nobody listens
        message = refusal(entry(f"http://127.0.0.1:{closed.getsockname()[1]}"))
    assert "refused" in message
    assert left_in(folder) == []


def test_a_cache_that_cannot_be_made_is_told(folder, server, tmp_path):
    (tmp_path / "cache").write_text("a file where the folder should be")
    assert NAME in refusal(entry(server))


def test_the_table_is_consistent():
    with pytest.raises(UserError, match="vgg19"):
        weights.fetch("no such file")
    for file in weights.WEIGHTS.values():
        assert file.address.startswith("https://")
        assert file.address.endswith(file.file_name)
        assert re.fullmatch("[0-9a-f]{8}|[0-9a-f]{64}", file.sha256)
        if "pytorch.org" in file.address:
            # torch hub's file names end in the first eight digits of their SHA-256
            assert file.sha256[:8] in file.file_name
