"""`animate drive` with live input: local streams through a pipe and through TCP, keys, signals, refusals."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from contextlib import suppress
from fractions import Fraction
from types import SimpleNamespace

import av
import numpy as np
import pytest

from animate import checkpoints
from animate.cli import main
from animate.pipelines.drive import EncodedSource, drive
from animate.pipelines.framing import to_model
from animate.pipelines.live import LiveModel, Newest, Report, Wiring, run_live
from animate.video.decode import stream
from animate.video.image import read_image
from animate.video.live import LiveFrame
from animate.video.probe import probe


@pytest.fixture
def model(checkpoint, media):
    source = to_model(read_image(media / "photo.png"), 32)
    return LiveModel(
        EncodedSource(checkpoints.load(checkpoint), source), relative=True, adapt_scale=False, smoothing=None
    )


@pytest.fixture(scope="module")
def squares(media):
    return [to_model(frame.image, 32) for frame in stream(media / "clip.mp4")]


@pytest.fixture(scope="module")
def transport(media):
    """The clip as an MPEG-TS, as a camera would send it."""
    target = media / "clip.ts"
    with av.open(str(target), "w", format="mpegts") as container:
        video = container.add_stream("mpeg2video", rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        video.bit_rate = 2_000_000
        for frame in stream(media / "clip.mp4"):
            container.mux(video.encode(av.VideoFrame.from_ndarray(frame.image, "rgb24")))
        container.mux(video.encode())
    return target.read_bytes()


def test_the_newest_wins():
    queue = Newest()
    for item in range(5):
        queue.put(item)
    assert queue.take() == 4
    assert queue.dropped == 4
    queue.put(5)
    assert queue.take() == 5
    queue.put(6)
    queue.end()
    assert queue.take() == 6  # what is there at the end is not lost
    assert queue.take() is None
    assert queue.dropped == 4


def test_an_item_is_waited_for():
    queue, taken = Newest(), []
    thread = threading.Thread(target=lambda: taken.append(queue.take()))
    thread.start()
    queue.put("late")
    thread.join(5)
    assert taken == ["late"]


def test_frame_by_frame_it_is_what_drive_gives(model, checkpoint, media, squares):
    source = to_model(read_image(media / "photo.png"), 32)
    expected = drive(checkpoints.load(checkpoint), source, squares, batch_size=1)
    for number, theirs in enumerate(expected):
        np.testing.assert_array_equal(model(squares[number], Fraction(number, 25)), theirs)


class Recording:
    """A screen that remembers, and presses keys at given frames."""

    def __init__(self, **keys):
        self.shown, self.keys, self.closed = [], keys, False

    def show(self, picture):
        self.shown.append(picture)
        return self.keys.get(f"at{len(self.shown)}", "")

    def close(self):
        self.closed = True


def session(model, squares, screen, written):
    """Run a session in which no frame is dropped: the next one comes when the last was shown."""

    def frames():
        for number, square in enumerate(squares):
            yield LiveFrame(square, Fraction(number, 25), time.monotonic())
            deadline = time.monotonic() + 5
            while len(screen.shown) <= number and time.monotonic() < deadline and not ended.is_set():
                time.sleep(0.001)

    queue, ended = Newest(), threading.Event()
    wiring = Wiring(
        model, 32, None, lambda result, _: result, [screen], lambda *one: written.append(one), lambda: ""
    )
    reports = [(report.frames, report.dropped) for report in run_live(frames(), queue, wiring, ended)]
    return reports, ended


def test_the_key_r_sets_the_start_frame_anew(model, squares):
    screen, written = Recording(at4="r", at8="q"), []
    reports, ended = session(model, squares, screen, written)
    assert reports[-1] == (8, 0)
    assert ended.is_set()
    assert screen.closed
    at_rest = screen.shown[0]  # the start frame gives the source in its own pose
    assert (screen.shown[3] != at_rest).any()
    np.testing.assert_array_equal(screen.shown[4], at_rest)
    assert [time for _, time in written] == [Fraction(n, 25) for n in range(8)]


def test_a_reader_that_fails_is_heard_of(model, squares):
    def frames():
        yield LiveFrame(squares[0], Fraction(0), time.monotonic())
        raise OSError("unplugged")

    wiring = Wiring(model, 32, None, lambda result, _: result, [], lambda *_: None, lambda: "")
    seen = []
    with pytest.raises(OSError, match="unplugged"):
        seen.extend(run_live(frames(), Newest(), wiring, threading.Event()))
    assert len(seen) == 1


def test_latencies():
    report = Report(frames=100, dropped=7, seconds=4.0)
    report.latencies.extend([0.010] * 90 + [0.050] * 10)
    assert report.line() == "25.0 frames/s, 7 dropped, latency 10 ms (median), 50 ms (95 %)"


@pytest.fixture
def live(checkpoint, media, tmp_path):
    """Run the verb on live input in this process; returns the exit code."""

    def run(*options, output="out.mp4"):
        files = ["--checkpoint", checkpoint, "--source", media / "photo.png"]
        where = [] if output is None else ["--output", tmp_path / output]
        return main([str(part) for part in ["drive", *files, *where, "--device", "cpu", *options]])

    return run


@pytest.fixture
def stdin(monkeypatch):
    """A pipe as standard input; yields the descriptor to write to."""
    reading, writing = os.pipe()
    file = os.fdopen(reading, "rb")
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(fileno=file.fileno, isatty=lambda: False))
    yield writing
    file.close()


def send(writing, data, times=1):
    with suppress(BrokenPipeError), os.fdopen(writing, "wb", buffering=0) as pipe:
        for _ in range(times):
            pipe.write(data)


def test_what_is_piped_in(live, stdin, transport, tmp_path, capsys):
    sender = threading.Thread(target=send, args=(stdin, transport))
    sender.start()
    assert live("--driving", "-") == 0
    sender.join()
    info = probe(tmp_path / "out.mp4")
    assert (info.width, info.height) == (32, 32)
    assert 1 <= info.num_frames <= 10
    assert info.times[-1] <= 2.0
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].startswith("standard input: 25 frames/s")
    assert f"out.mp4: {info.num_frames} frames, " in printed[1]
    assert "latency" in printed[1]
    assert " (95 %)" in printed[1]


def test_a_stream_over_tcp_with_a_window_and_a_camera(live, transport, tmp_path, monkeypatch):
    shown = Recording()
    monkeypatch.setattr("animate.pipelines.screens.Window", lambda: shown)
    sent = []
    fake = SimpleNamespace(
        Camera=lambda **size: sent.append(size) or SimpleNamespace(send=sent.append, close=lambda: None)
    )
    monkeypatch.setitem(sys.modules, "pyvirtualcam", fake)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            connection, _ = server.accept()
            with connection:
                connection.sendall(transport)

        thread = threading.Thread(target=serve)
        thread.start()
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        assert live("--driving", address, "--preview", "--virtual-camera", "--grid", output="out") == 0
        thread.join()
    written = [frame.image for frame in stream(tmp_path / "out")]
    assert len(written) == len(shown.shown) == len(sent) - 1
    assert sent[0] == {"width": 96, "height": 32, "fps": 25.0}
    for ours, theirs, third in zip(written, shown.shown, sent[1:], strict=True):
        np.testing.assert_array_equal(ours, theirs)
        np.testing.assert_array_equal(ours, third)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, 143)])
def test_a_signal_ends_with_a_whole_file(live, stdin, transport, tmp_path, monkeypatch, number, code):
    """Without it the session would go on for minutes."""
    threading.Thread(target=send, args=(stdin, transport, 1000), daemon=True).start()
    count = []
    ask = LiveModel.__call__

    def once_more(self, square, time):
        count.append(time)
        if len(count) == 2:
            signal.raise_signal(number)
        return ask(self, square, time)

    monkeypatch.setattr(LiveModel, "__call__", once_more)
    assert live("--driving", "-") == code
    assert len(list(stream(tmp_path / "out.mp4"))) == probe(tmp_path / "out.mp4").num_frames
    assert 2 <= len(count) <= 4
    assert [path.name for path in tmp_path.iterdir()] == ["out.mp4"]


def refused(live, capsys, tmp_path, *options, output="out.mp4"):
    assert live(*options, output=output) == 2
    error = capsys.readouterr().err
    assert len(error.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []
    return error


def test_refused(live, capsys, tmp_path, media, monkeypatch):
    def no(*options, **more):
        return refused(live, capsys, tmp_path, *options, **more)

    assert "--best-frame is for files" in no("--driving", "-", "--best-frame", "auto")
    assert "--start is for files" in no("--camera", "0", "--start", 3)
    assert "nowhere to show" in no("--driving", "-", output=None)
    assert "--output is missing" in no("--driving", media / "clip.mp4", output=None)
    assert "live input" in no("--driving", media / "clip.mp4", "--preview")
    assert "not allowed with" in no("--driving", "-", "--camera", "0")
    assert "camera 97 cannot be opened" in no("--camera", "97")
    assert "cannot be opened" in no("--driving", "tcp://127.0.0.1:1")
    line = no("--driving", "http://user:SuperSecret99@127.0.0.1:1/x")
    assert "http://***@127.0.0.1:1/x cannot be opened" in line
    monkeypatch.setattr("animate.video.live.PATIENCE", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        assert f"{address}: nothing came within 0.5 s; check that it sends" in no("--driving", address)
    monkeypatch.setitem(sys.modules, "pyvirtualcam", None)
    assert "animate[camera]" in no("--driving", "-", "--virtual-camera")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    if sys.platform == "linux":
        assert "no display" in no("--driving", "-", "--preview")


def test_an_output_that_is_there_is_told_before_anything_is_opened(live, capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("animate.video.live.LiveSource.__init__", lambda *_: pytest.fail("it was opened"))
    (tmp_path / "out.mp4").write_bytes(b"mine")
    assert live("--driving", "-") == 2
    assert "out.mp4 exists; choose another name or allow overwriting it" in capsys.readouterr().err
    assert (tmp_path / "out.mp4").read_bytes() == b"mine"


def test_nothing_comes_through_the_pipe(live, stdin, capsys, tmp_path):
    os.close(stdin)
    assert "standard input cannot be opened" in refused(live, capsys, tmp_path, "--driving", "-")
