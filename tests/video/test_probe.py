"""What probe says, against videos made here and against OpenCV's own demuxing."""

from __future__ import annotations

import os
import tracemalloc
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest
from PIL import Image
from video_files import coded, gop, numbered, remux, write_video

from animate.errors import UserError
from animate.video.decode import stream
from animate.video.probe import probe


def test_plain(tmp_path):
    path = write_video(tmp_path / "a.mp4", numbered(20), fps=Fraction(30000, 1001), options=gop(5, 2))
    info = probe(path)
    assert (info.width, info.height, info.num_frames, info.rotation) == (64, 48, 20, 0)
    assert info.fps == Fraction(30000, 1001)
    assert not info.exact
    assert info.seekable
    assert not info.has_audio
    np.testing.assert_allclose(info.times, np.arange(20) * 1001 / 30000, atol=1e-4)
    assert info.duration == pytest.approx(20 * 1001 / 30000, abs=1e-3)
    assert list(info.keyframes) == [0, 5, 10, 15]
    assert cv2.VideoCapture(str(path)).get(cv2.CAP_PROP_FRAME_COUNT) == 20


def test_accepts_a_string(tmp_path):
    assert probe(str(write_video(tmp_path / "a.mp4", numbered(2)))).num_frames == 2


def test_decodes_at_most_a_few_frames(tmp_path, monkeypatch):
    from animate.video import probe as module

    path = write_video(tmp_path / "a.mp4", numbered(60))
    decoded = []
    decode_one = module._decode_one
    monkeypatch.setattr(module, "_decode_one", lambda *a: decoded.append(decode_one(*a)) or decoded[-1])
    assert probe(path).num_frames == 60
    assert len(decoded) < 10


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("a.mkv", "libx264"),
        ("a.webm", "libvpx-vp9"),
        ("a.mov", "libx264"),
        ("a.ts", "libx264"),
        ("a.avi", "mpeg4"),
    ],
)
def test_containers(tmp_path, name, codec):
    info = probe(write_video(tmp_path / name, numbered(12), codec=codec))
    assert (info.width, info.height, info.num_frames) == (64, 48, 12)
    assert float(info.fps) == pytest.approx(25)
    np.testing.assert_allclose(info.times - info.times[0], np.arange(12) / 25, atol=1.1e-3)


def test_variable_frame_rate(tmp_path):
    times = [Fraction(n, 1000) for n in (0, 40, 80, 200, 240, 500, 1000)]
    info = probe(write_video(tmp_path / "a.mp4", numbered(7), times=times))
    np.testing.assert_allclose(info.times, [float(t) for t in times], atol=1e-4)
    assert 1.0 <= info.duration <= 1.51
    assert float(info.fps) == pytest.approx(7 / info.duration, rel=0.1)


def test_few_frames_over_ten_hours(tmp_path):
    """At the nearest rate with a denominator up to 1001 it would be none."""
    times = [Fraction(18_000 * n) for n in range(3)]
    path = write_video(tmp_path / "a.mkv", numbered(3), times=times)
    info = probe(path)
    assert info.times.tolist() == [0, 18_000, 36_000]
    assert float(info.fps) == pytest.approx(3 / info.duration, rel=1e-3)
    assert [frame.time for frame in stream(path)] == times


def test_memory_of_a_long_video_is_some_bytes_a_packet(tmp_path):
    path = write_video(tmp_path / "a.mp4", [np.zeros((16, 16, 3), np.uint8)] * 5_000, codec="mpeg4")
    probe(path)  # what is allocated once only
    tracemalloc.start()
    try:
        probe(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 5_000 * 100


@pytest.mark.parametrize("shift", [2, -1])
def test_first_time_stamp_is_not_zero(tmp_path, shift):
    path = write_video(tmp_path / "a.mkv", numbered(50), options=gop(10))
    info = probe(remux(path, tmp_path / "b.ts", Fraction(shift)))
    assert info.num_frames == 50
    assert info.times[0] == pytest.approx(shift)
    assert info.duration == pytest.approx(2.0, abs=0.05)


def test_frames_that_an_edit_list_hides_do_not_count(tmp_path):
    path = write_video(tmp_path / "a.mp4", numbered(30), options=gop(15))
    info = probe(remux(path, tmp_path / "b.mp4", Fraction(-4, 25)))
    assert info.num_frames == 26
    assert info.times[0] == pytest.approx(0, abs=1e-3)
    assert list(info.keyframes) == [11]


def test_gif_cannot_seek(tmp_path):
    path = tmp_path / "a.gif"
    pictures = [Image.fromarray(image) for image in numbered(5)]
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=[100, 100, 200, 100, 300])
    info = probe(path)
    assert (info.num_frames, info.seekable, list(info.keyframes)) == (5, False, [0])
    np.testing.assert_allclose(info.times, [0, 0.1, 0.2, 0.4, 0.5])
    assert info.duration == pytest.approx(0.8)
    assert info.fps == Fraction(25, 4)


def test_elementary_stream_without_time_stamps(tmp_path):
    info = probe(write_video(tmp_path / "a.h264", numbered(10)))
    assert (info.num_frames, info.seekable) == (10, False)
    assert (np.diff(info.times) > 0).all()


@pytest.mark.parametrize(("angle", "turned"), [(0, 0), (-90, 90), (90, 270), (180, 180)])
def test_rotation(tmp_path, angle, turned):
    info = probe(write_video(tmp_path / "a.mp4", numbered(3), rotate=angle))
    assert info.rotation == turned
    assert (info.width, info.height) == ((48, 64) if turned in (90, 270) else (64, 48))


@pytest.mark.parametrize("count", [1, 2])
def test_very_short(tmp_path, count):
    info = probe(write_video(tmp_path / "a.mp4", numbered(count)))
    assert info.num_frames == count
    assert info.duration == pytest.approx(count / 25, abs=1e-3)


def test_tiny(tmp_path):
    info = probe(write_video(tmp_path / "a.mp4", numbered(3, 16, 16)))
    assert (info.width, info.height) == (16, 16)


NAMES = ["a:b.mp4", "100%d.mp4", "x=1, (2) é漢.mp4", "-dash 'quote\" #?.mp4", "[1-9]*.mp4"]


@pytest.mark.parametrize("name", NAMES)
def test_names(tmp_path, monkeypatch, name):
    write_video(tmp_path / "plain.mp4", numbered(3)).rename(tmp_path / name)
    assert probe(tmp_path / name).num_frames == 3
    monkeypatch.chdir(tmp_path)
    assert probe(name).num_frames == 3


def test_title_in_another_encoding(tmp_path):
    path = tmp_path / "a.avi"
    with av.open(str(path), "w") as output:
        output.metadata["title"] = "Grosse"
        stream = output.add_stream("mpeg4", rate=25)
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv420p"
        output.mux(stream.encode(av.VideoFrame.from_ndarray(coded(1), format="rgb24")))
        output.mux(stream.encode(None))
    path.write_bytes(path.read_bytes().replace(b"Grosse", b"Gr\xf6\xdfe\x00"))
    assert probe(path).num_frames == 1


def _audio_only(path):
    with av.open(str(path), "w") as output:
        stream = output.add_stream("aac", rate=48000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.rate = 48000
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))


def _without_index(path):
    write_video(path, numbered(30))
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b"moov") - 4])


MAKE_BAD = {
    "zero.mp4": (lambda path: path.write_bytes(b""), "empty"),
    "text.mp4": (lambda path: path.write_text("This is plain text, not a video.\n" * 20), "not a video"),
    "list.mp4": (lambda path: path.write_text("#EXTM3U\n#EXTINF:1,\nb.mp4\n#EXT-X-ENDLIST\n"), "not a video"),
    "noise.mp4": (lambda path: path.write_bytes(np.random.default_rng(0).bytes(5000)), "not a video"),
    "audio.mp4": (_audio_only, "no video stream"),
    "cut.mp4": (_without_index, "index"),
    "folder.mp4": (lambda path: path.mkdir(), "folder"),
    "missing.mp4": (lambda _: None, "no such file"),
}


@pytest.mark.parametrize("name", MAKE_BAD)
def test_bad_files_are_named_with_a_reason(tmp_path, name):
    make, reason = MAKE_BAD[name]
    make(tmp_path / name)
    with pytest.raises(UserError, match=reason) as caught:
        probe(tmp_path / name)
    assert str(tmp_path / name) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_permission(tmp_path):
    path = write_video(tmp_path / "a.mp4", numbered(2))
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read everything")
    with pytest.raises(UserError, match="permission"):
        probe(path)


def test_cover_picture_is_not_a_video(tmp_path):
    path = tmp_path / "song.mp3"
    cover = tmp_path / "cover.png"
    Image.fromarray(coded(3)).save(cover)
    with av.open(str(cover)) as picture, av.open(str(path), "w") as output:
        audio = output.add_stream("libmp3lame", rate=44100, layout="mono")
        copy = output.add_stream_from_template(picture.streams.video[0])
        copy.disposition = av.stream.Disposition.attached_pic
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1152), np.float32), format="fltp", layout="mono")
        frame.rate = 44100
        output.mux(audio.encode(frame))
        packet = next(picture.demux(video=0))
        packet.stream = copy
        output.mux(packet)
        output.mux(audio.encode(None))
    with pytest.raises(UserError, match="no video stream"):
        probe(path)
